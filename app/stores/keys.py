"""The two key rings; private halves are sealed for their row."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.atproto.crypto.keys import SigningKey
from app.flows.ports import StoredKey

from .records import SealedFields, row_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import RowMapping

    from app.flows.ports import Ring, SigningKeys
    from app.stores.database import Database

    from .encryption import Cipher

LIST = text("""
    SELECT * FROM signing_keys WHERE ring = :ring
    ORDER BY CASE status WHEN 'active' THEN 0 WHEN 'next' THEN 1 ELSE 2 END,
             created_at DESC, kid
""")
# Whichever unique index is in the way: the place or the key id is occupied.
ADD = text("""
    INSERT INTO signing_keys (
        ring, kid, alg, status, secrets, created_at, activated_at, retired_at
    ) VALUES (
        :ring, :kid, :alg, :status, :secrets, :created_at, :activated_at, :retired_at
    )
    ON CONFLICT DO NOTHING
""")


class SqlSigningKeys:
    """Signing keys in a table."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._sealed = SealedFields(cipher, "signing_keys", ("key",))
        # Rings are read every few seconds, and parsing an RSA key costs tens of
        # milliseconds: what was opened once is kept, by its sealed text.
        self._opened: dict[str, SigningKey] = {}
        self._lock = threading.Lock()

    def list(self, ring: Ring) -> Sequence[StoredKey]:
        """Return the ring: active first, then next, then retired, newest first."""
        with self._database.read() as connection:
            rows = connection.execute(LIST, {"ring": ring}).mappings().all()
        return [self._stored_key(row) for row in rows]

    def add(self, stored: StoredKey) -> bool:
        """Create-only; False when the place or the key id is occupied already."""
        row = {**row_of(stored), "key": stored.key.private_jwk()}
        sealed = self._sealed.seal(row, stored.ring, stored.kid)
        with self._database.write() as connection:
            return connection.execute(ADD, sealed).rowcount == 1

    def _stored_key(self, row: RowMapping) -> StoredKey:
        fields = {name: row[name] for name in row if name != "secrets"}
        return StoredKey(**fields, key=self._key(row))

    def _key(self, row: RowMapping) -> SigningKey:
        with self._lock:
            if row["secrets"] not in self._opened:
                opened = self._sealed.open(row, row["ring"], row["kid"])
                self._opened[row["secrets"]] = SigningKey.from_jwk(opened["key"])
            return self._opened[row["secrets"]]


if TYPE_CHECKING:

    def _fits(keys: SqlSigningKeys) -> SigningKeys:
        return keys
