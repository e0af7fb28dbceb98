"""Signing keys of the two key rings; private keys are encrypted for their row."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.atproto.crypto.keys import SigningKey
from app.flows.ports import StoredKey
from app.stores.sql.records import (
    EncryptedFields,
    columns_of,
    fetching,
    insert_into,
    row_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import RowMapping

    from app.flows.ports import Ring, SigningKeys
    from app.stores.sql.database import Database

    from .encryption import Cipher

COLUMNS = columns_of(StoredKey, encrypted=("key",))
LIST = fetching(
    COLUMNS,
    """
    SELECT {columns} FROM signing_keys WHERE ring = :ring
    ORDER BY CASE status WHEN 'active' THEN 0 WHEN 'next' THEN 1 ELSE 2 END,
             created_at DESC, kid
    """,
)
# Either unique index may conflict: the place in the ring, or the key id.
ADD = text(f"{insert_into('signing_keys', COLUMNS)} ON CONFLICT DO NOTHING")


class SqlSigningKeys:
    """Signing keys in a table."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._secrets = EncryptedFields(cipher, "signing_keys", ("key",))
        # Rings are read every few seconds and parsing an RSA key takes tens of
        # milliseconds, so parsed keys are kept by their encrypted text.
        self._parsed: dict[str, SigningKey] = {}
        self._lock = threading.Lock()

    def list(self, ring: Ring) -> Sequence[StoredKey]:
        """Return the ring: active first, then next, then retired, newest first."""
        with self._database.read() as connection:
            rows = connection.execute(LIST, {"ring": ring}).mappings().all()
        return [self._stored_key(row) for row in rows]

    def add(self, stored: StoredKey) -> bool:
        """Create the key; False if its place in the ring or its key id is taken."""
        row = {**row_of(stored), "key": stored.key.private_jwk()}
        row = self._secrets.encrypt(row, stored.ring, stored.kid)
        with self._database.write() as connection:
            return connection.execute(ADD, row).rowcount == 1

    def _stored_key(self, row: RowMapping) -> StoredKey:
        fields = {name: row[name] for name in row if name != "secrets"}
        return StoredKey(**fields, key=self._key(row))

    def _key(self, row: RowMapping) -> SigningKey:
        with self._lock:
            if row["secrets"] not in self._parsed:
                decrypted = self._secrets.decrypt(row, row["ring"], row["kid"])
                self._parsed[row["secrets"]] = SigningKey.from_jwk(decrypted["key"])
            return self._parsed[row["secrets"]]


if TYPE_CHECKING:

    def _fits(keys: SqlSigningKeys) -> SigningKeys:
        return keys
