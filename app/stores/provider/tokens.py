"""Opaque access tokens; of each only a hash is stored."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

from app.atproto.crypto.encoding import sha256_hex
from app.flows.provider.grants.ports import AccessTokens
from app.flows.provider.grants.records import AccessToken
from app.stores.sql.database import Database
from app.stores.sql.records import columns_of, fetching, insert_into, row_of

COLUMNS = columns_of(AccessToken)
ADD = text(insert_into("provider_tokens", (*COLUMNS, "token_hash")))
# SQLite wants a LIMIT before OFFSET.
DROP_BEYOND = text("""
    DELETE FROM provider_tokens WHERE token_hash IN (
        SELECT token_hash FROM provider_tokens WHERE grant_id = :grant_id
        ORDER BY issued_at DESC, token_hash LIMIT 1000 OFFSET :others)
""")
FIND = fetching(
    COLUMNS,
    """
    SELECT {columns} FROM provider_tokens
    WHERE token_hash = :token_hash AND expires_at > :now
    """,
)
IS_OF: Final = """
    FROM provider_tokens WHERE token_hash = :token_hash AND EXISTS (
        SELECT 1 FROM provider_grants
        WHERE provider_grants.grant_id = provider_tokens.grant_id
          AND provider_grants.client_id = :client_id)
"""
IS_THERE = text(f"SELECT 1 {IS_OF}")
DROP = text(f"DELETE {IS_OF}")


class SqlAccessTokens(AccessTokens):
    """Access tokens in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, token: AccessToken, *, secret: str, most: int) -> None:
        row = {**row_of(token), "token_hash": sha256_hex(secret)}
        beyond = {"grant_id": token.grant_id, "others": most - 1}
        with self._database.quick_write() as connection:
            connection.execute(DROP_BEYOND, beyond)
            connection.execute(ADD, row)

    def find(self, secret: str, *, now: float) -> AccessToken | None:
        token_hash = sha256_hex(secret)
        return self._database.one(
            AccessToken, FIND, token_hash=token_hash, now=int(now)
        )

    def drop(self, secret: str, *, client_id: str) -> bool:
        """Delete a token of a client; False if the client has no such token.

        Strangers name tokens: one that is unknown opens no transaction that writes.
        """
        wanted = {"token_hash": sha256_hex(secret), "client_id": client_id}
        with self._database.quick_read() as connection:
            if connection.execute(IS_THERE, wanted).scalar() is None:
                return False
        with self._database.quick_write() as connection:
            return connection.execute(DROP, wanted).rowcount == 1
