"""Authorization codes, each taken once by one statement."""

from __future__ import annotations

from sqlalchemy import text

from app.atproto.crypto.encoding import sha256_hex
from app.flows.provider.authorization.codes import Code, Codes
from app.stores.sql.database import Database
from app.stores.sql.records import columns_of, fetching, insert_into, row_of

COLUMNS = columns_of(Code)
ADD = text(insert_into("provider_codes", (*COLUMNS, "code_hash")))
FIND = fetching(
    COLUMNS,
    """
    SELECT {columns} FROM provider_codes
    WHERE code_hash = :code_hash AND client_id = :client_id
      AND used_at IS NULL AND expires_at > :now
    """,
)
TAKE = fetching(
    COLUMNS,
    """
    UPDATE provider_codes SET used_at = :now
    WHERE code_hash = :code_hash AND client_id = :client_id
      AND redirect_uri = :redirect_uri AND used_at IS NULL AND expires_at > :now
    RETURNING {columns}
    """,
)
USED_BY = text("""
    SELECT grant_id FROM provider_codes
    WHERE code_hash = :code_hash AND client_id = :client_id AND used_at IS NOT NULL
""")


class SqlCodes(Codes):
    """Authorization codes in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, code: Code, *, secret: str) -> None:
        row = {**row_of(code), "code_hash": sha256_hex(secret)}
        with self._database.quick_write() as connection:
            connection.execute(ADD, row)

    def find(self, secret: str, *, client_id: str, now: float) -> Code | None:
        wanted = {
            "code_hash": sha256_hex(secret),
            "client_id": client_id,
            "now": int(now),
        }
        return self._database.one(Code, FIND, **wanted)

    def take(
        self, secret: str, *, client_id: str, redirect_uri: str, now: float
    ) -> Code | None:
        wanted = {
            "code_hash": sha256_hex(secret),
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "now": int(now),
        }
        with self._database.quick_write() as connection:
            row = connection.execute(TAKE, wanted).mappings().one_or_none()
        return None if row is None else Code(**row)

    def used_by(self, secret: str, *, client_id: str) -> str | None:
        wanted = {"code_hash": sha256_hex(secret), "client_id": client_id}
        with self._database.quick_read() as connection:
            grant_id: str | None = connection.execute(USED_BY, wanted).scalar()
        return grant_id
