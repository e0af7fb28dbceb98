"""The cache of documents and nonces that workers and nodes share.

Two levels: 5 seconds in memory, then the table. The first is short because another
process may replace or delete the entry (a newer nonce, a handle that moved;
requirement 1.29).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import TextClause, text

from app.atproto.stores.memory import MemoryCache
from app.atproto.stores.protocols import BatchCache
from app.flows.errors import StorageFailed
from app.stores.outage_log import OutageLog
from app.stores.sql.database import Database
from app.stores.sql.records import fetching
from app.stores.sql.row_bounds import RowBound

log = logging.getLogger(__name__)

MEMORY_LIFETIME: Final = 5.0
MEMORY_ENTRIES: Final = 5_000

LONGEST_VALUE: Final = 24_000
"""Characters of a value in the table; a longer one stays in memory."""

GET = fetching(
    ("value", "expires_at"),
    "SELECT {columns} FROM cache_entries WHERE key = :key AND expires_at > :now",
)
PUT = text("""
    INSERT INTO cache_entries (key, value, expires_at)
    VALUES (:key, :value, :expires_at)
    ON CONFLICT (key) DO UPDATE
        SET value = excluded.value, expires_at = excluded.expires_at
""")
DELETE = text("DELETE FROM cache_entries WHERE key = :key")


class SqlCache(BatchCache):
    """Cached documents and nonces in memory and in a table.

    If the table does not answer, the failure is logged, and the login makes a few more
    requests.
    """

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._bound = RowBound("cache_entries")
        self._reading = OutageLog(log, "cache not read")
        self._writing = OutageLog(log, "cache not written")
        self._memory: MemoryCache[str] = MemoryCache(clock, max_entries=MEMORY_ENTRIES)

    def get(self, key: str) -> str | None:
        """Return the value, or None after its lifetime."""
        remembered = self._memory.get(key)
        if remembered is not None:
            return remembered
        try:
            found = self._read(key)
        except StorageFailed as error:
            self._reading.failed(error)
            return None
        self._reading.worked()
        return found

    def put(self, key: str, value: str, *, lifetime: float) -> None:
        """Store a value for `lifetime` seconds at most."""
        self.put_all({key: value}, lifetime=lifetime)

    def put_all(self, values: Mapping[str, str], *, lifetime: float) -> None:
        for key, value in values.items():
            self._memory.put(key, value, lifetime=min(lifetime, MEMORY_LIFETIME))
        expires_at = int(self._clock() + lifetime)
        rows = [
            {"key": key, "value": value, "expires_at": expires_at}
            for key, value in values.items()
            if len(value) <= LONGEST_VALUE
        ]
        if rows:
            self._write(PUT, *rows)

    def delete(self, key: str) -> None:
        """Delete a value."""
        self._memory.delete(key)
        self._write(DELETE, {"key": key})

    def _read(self, key: str) -> str | None:
        now = self._clock()
        with self._database.quick_read() as connection:
            row = connection.execute(GET, {"key": key, "now": now}).one_or_none()
        if row is None:
            return None
        lifetime = min(row[1] - now, MEMORY_LIFETIME)
        self._memory.put(key, row[0], lifetime=lifetime)
        return str(row[0])

    def _write(self, statement: TextClause, *rows: Mapping[str, object]) -> None:
        try:
            with self._database.quick_write(durable=False) as connection:
                for row in rows:
                    connection.execute(statement, row)
                    self._bound.after_write(connection)
        except StorageFailed as error:
            self._writing.failed(error)
        else:
            self._writing.worked()
