"""Signing keys of the two key rings; private keys are encrypted for their row."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, RowMapping, text

from app.atproto.crypto.keys import SigningKey
from app.flows.errors import SigningKeyRefused
from app.flows.ports import Ring, SigningKeys, StoredKey
from app.stores.sql.database import Database
from app.stores.sql.records import (
    EncryptedFields,
    columns_of,
    fetching,
    insert_into,
    row_of,
)

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
INSERT = text(insert_into("signing_keys", COLUMNS))
UPDATE = text("""
    UPDATE signing_keys
    SET status = :status, activated_at = :activated_at, retired_at = :retired_at
    WHERE ring = :ring AND kid = :kid
""")
DELETE = text("DELETE FROM signing_keys WHERE ring = :ring AND kid = :kid")
REMEMBER = text("""
    INSERT INTO former_keys (thumbprint, ring, kid) VALUES (:thumbprint, :ring, :kid)
    ON CONFLICT (thumbprint) DO NOTHING
""")
IS_FORMER = text("SELECT 1 FROM former_keys WHERE thumbprint = :thumbprint")
# PostgreSQL locks the row until the commit; SQLite has one writer in any case.
LOCK = text("""
    INSERT INTO leases (name, holder, until) VALUES ('keys', '', 0)
    ON CONFLICT (name) DO UPDATE SET until = 0
""")


class SqlSigningKeys(SigningKeys):
    """Signing keys in a table."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._secrets = EncryptedFields(cipher, "signing_keys", ("key",))
        # Rings are read every few seconds, so parsed keys are kept by their encrypted
        # text.
        self._parsed: dict[Ring, dict[str, SigningKey]] = {}
        self._lock = threading.Lock()

    def list(self, ring: Ring) -> Sequence[StoredKey]:
        with self._database.read() as connection:
            rows = connection.execute(LIST, {"ring": ring}).mappings().all()
        return self._stored_keys(ring, rows)

    def change(
        self,
        ring: Ring,
        change: Callable[[Sequence[StoredKey]], Sequence[StoredKey]],
    ) -> Sequence[StoredKey]:
        with self._database.write() as connection:
            connection.execute(LOCK)
            rows = connection.execute(LIST, {"ring": ring}).mappings().all()
            before = self._stored_keys(ring, rows)
            after = change(before)
            self._replace(connection, before, after)
        return after

    def is_former(self, thumbprint: str) -> bool:
        with self._database.read() as connection:
            return _is_former(connection, thumbprint)

    def _replace(
        self,
        connection: Connection,
        before: Sequence[StoredKey],
        after: Sequence[StoredKey],
    ) -> None:
        """Write the difference; places are freed before they are taken."""
        known, kept = {key.kid: key for key in before}, {key.kid for key in after}
        for key in before:
            if key.kid not in kept:
                self._delete(connection, key)
        changed = [key for key in after if known.get(key.kid, key) != key]
        for key in sorted(changed, key=lambda one: one.status != "retired"):
            connection.execute(UPDATE, row_of(key))
        for key in after:
            if key.kid not in known:
                self._insert(connection, key)

    def _insert(self, connection: Connection, key: StoredKey) -> None:
        if _is_former(connection, key.key.thumbprint):
            raise SigningKeyRefused(
                f"{key.kid} was deleted from a ring; a key never comes back"
            )
        row = {**row_of(key), "key": key.key.private_jwk()}
        connection.execute(INSERT, self._secrets.encrypt(row, key.ring, key.kid))

    def _delete(self, connection: Connection, key: StoredKey) -> None:
        connection.execute(DELETE, {"ring": key.ring, "kid": key.kid})
        former = {"ring": key.ring, "kid": key.kid, "thumbprint": key.key.thumbprint}
        connection.execute(REMEMBER, former)

    def _stored_keys(
        self, ring: Ring, rows: Sequence[RowMapping]
    ) -> Sequence[StoredKey]:
        """Return the keys of rows; of others no private key stays in memory."""
        with self._lock:
            parsed = self._parsed.get(ring, {})
            keys = {row["secrets"]: self._key(row, parsed) for row in rows}
            self._parsed[ring] = keys
        return [_stored_key(row, keys[row["secrets"]]) for row in rows]

    def _key(self, row: RowMapping, parsed: Mapping[str, SigningKey]) -> SigningKey:
        if row["secrets"] in parsed:
            return parsed[row["secrets"]]
        decrypted = self._secrets.decrypt(row, row["ring"], row["kid"])
        return SigningKey.restore(decrypted["key"])


def _stored_key(row: RowMapping, key: SigningKey) -> StoredKey:
    fields = {name: row[name] for name in row if name != "secrets"}
    return StoredKey(**fields, key=key)


def _is_former(connection: Connection, thumbprint: str) -> bool:
    return connection.execute(IS_FORMER, {"thumbprint": thumbprint}).first() is not None
