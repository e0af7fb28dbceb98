"""Client assertions that were used, so that each is good once on all nodes."""

from __future__ import annotations

import math

from sqlalchemy import text

from app.atproto.crypto.encoding import sha256_hex
from app.flows.provider.tokens.assertions import Assertions
from app.stores.sql.database import Database

USE = text("""
    INSERT INTO provider_assertions (assertion_hash, expires_at)
    VALUES (:assertion_hash, :expires_at)
    ON CONFLICT (assertion_hash) DO NOTHING
""")


class SqlAssertions(Assertions):
    """Hashes of client_id and `jti` in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def use(self, client_id: str, jti: str, *, expires_at: float) -> bool:
        row = {
            "assertion_hash": sha256_hex(f"{client_id}\n{jti}"),
            # Up: the sweep must not forget an assertion in its last second.
            "expires_at": math.ceil(expires_at),
        }
        with self._database.write() as connection:
            return connection.execute(USE, row).rowcount == 1
