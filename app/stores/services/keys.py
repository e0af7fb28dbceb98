"""Service keys; of a key's secret only a SHA-256 is stored."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text

from app.atproto.crypto.encoding import sha256_hex
from app.flows.errors import ServiceKeyRefused
from app.flows.services.keys import ServiceKey, ServiceKeys
from app.stores.sql.database import Database
from app.stores.sql.records import columns_of, fetching, insert_into, row_of

COLUMNS = columns_of(ServiceKey)
ADD = text(
    insert_into("service_keys", (*COLUMNS, "secret_hash"))
    + " ON CONFLICT (name) DO NOTHING"
)
COUNT = text("SELECT count(*) FROM service_keys")
GET = fetching(
    COLUMNS, "SELECT {columns} FROM service_keys WHERE secret_hash = :secret_hash"
)
LIST = fetching(COLUMNS, "SELECT {columns} FROM service_keys ORDER BY name")
NOTE_USE = text("UPDATE service_keys SET used_at = :now WHERE name = :name")
REMOVE = text("DELETE FROM service_keys WHERE name = :name")


class SqlServiceKeys(ServiceKeys):
    """Service keys in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, key: ServiceKey, *, secret: str, most: int) -> bool:
        row = {**row_of(key), "secret_hash": sha256_hex(secret)}
        with self._database.write() as connection:
            if (connection.execute(COUNT).scalar() or 0) >= most:
                raise ServiceKeyRefused(f"there are {most} service keys already")
            return connection.execute(ADD, row).rowcount == 1

    def by_secret(self, secret: str) -> ServiceKey | None:
        return self._database.one(ServiceKey, GET, secret_hash=sha256_hex(secret))

    def note_use(self, name: str, now: float) -> None:
        """Set `used_at`. Not durable: a lost write is repeated at the next use."""
        with self._database.quick_write(durable=False) as connection:
            connection.execute(NOTE_USE, {"name": name, "now": int(now)})

    def list(self) -> Sequence[ServiceKey]:
        return self._database.all(ServiceKey, LIST)

    def remove(self, name: str) -> bool:
        with self._database.write() as connection:
            return connection.execute(REMOVE, {"name": name}).rowcount == 1
