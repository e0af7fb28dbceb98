"""What the reference PDS has written down about its grants, refreshes among it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass

from tests.lab.network import Network

GRANTS = """
    SELECT id, currentRefreshToken AS refresh_token,
        (SELECT count(*) FROM used_refresh_token WHERE tokenId = token.id) AS refreshes
    FROM token WHERE did = ? ORDER BY id
"""


@dataclass(frozen=True)
class Grant:
    """One grant that is alive at the host."""

    id: int
    refresh_token: str
    refreshes: int
    """How many of its refresh tokens are spent."""


def grants(network: Network, did: str) -> list[Grant]:
    """Return an account's living grants, oldest first."""
    path = network.directory / "pds" / "account.sqlite"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return [Grant(*row) for row in connection.execute(GRANTS, (did,))]
