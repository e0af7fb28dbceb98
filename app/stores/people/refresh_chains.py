"""Refresh tokens of apps: columns of their session, so that they end with it.

Each step is one UPDATE that names the token it replaces.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy import TextualSelect, text

from app.atproto.crypto.encoding import sha256_hex
from app.flows.native.refresh import RefreshChains
from app.flows.sessions.rotation import RefreshChain
from app.stores import refresh_tokens
from app.stores.refresh_tokens import chain_hash, chain_in, rotation_row, successor_of
from app.stores.sql.database import Database
from app.stores.sql.records import fetching

TABLE: Final = "sessions"
COLUMNS: Final = ("sid", *refresh_tokens.COLUMNS)
LIVE: Final = "ended_at IS NULL AND expires_at > :now"
SELECT: Final = "SELECT {columns} FROM sessions"
BY_CHAIN = fetching(COLUMNS, f"{SELECT} WHERE refresh_chain_hash = :key AND {LIVE}")
BY_SID = fetching(COLUMNS, f"{SELECT} WHERE sid = :key AND {LIVE}")
BEGIN = text(f"""
    UPDATE sessions
    SET refresh_chain_hash = :chain, refresh_hash = :successor_hash,
        refresh_previous_hash = :opener_hash, refresh_successor = :sealed,
        refreshed_at = :now
    WHERE sid = :sid AND refresh_chain_hash IS NULL AND {LIVE}
""")  # noqa: S608 - our names
ROTATE = text(f"""
    UPDATE sessions
    SET refresh_hash = :successor_hash, refresh_previous_hash = :opener_hash,
        refresh_successor = :sealed, refreshed_at = :now,
        seen_at = CASE WHEN seen_at < :now THEN :now ELSE seen_at END
    WHERE refresh_chain_hash = :chain AND refresh_hash = :opener_hash AND {LIVE}
""")  # noqa: S608 - our names


class SqlRefreshChains(RefreshChains):
    """Refresh chains in the table of sessions."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def begin(self, sid: str, token: str, *, opener: str, now: float) -> None:
        row = rotation_row(TABLE, token, opener=opener, now=now)
        with self._database.write() as connection:
            connection.execute(BEGIN, {**row, "sid": sid})

    def first(self, sid: str, *, opener: str) -> str | None:
        chain = self._found(BY_SID, sid)
        if chain is None or chain.previous != sha256_hex(opener):
            return None
        return None if chain.successor is None else self.successor(chain, opener)

    def find(self, token: str) -> RefreshChain | None:
        return self._found(BY_CHAIN, chain_hash(token))

    def rotate(self, token: str, successor: str, *, now: float) -> bool:
        row = rotation_row(TABLE, successor, opener=token, now=now)
        with self._database.write() as connection:
            return connection.execute(ROTATE, row).rowcount == 1

    def successor(self, chain: RefreshChain, token: str) -> str:
        """Return what is stored encrypted under the token. Raises DecryptionFailed."""
        return successor_of(TABLE, chain, token)

    def _found(self, statement: TextualSelect, key: str) -> RefreshChain | None:
        wanted = {"key": key, "now": int(self._clock())}
        with self._database.quick_read() as connection:
            row = connection.execute(statement, wanted).mappings().one_or_none()
        return None if row is None else chain_in(row, owner="sid")
