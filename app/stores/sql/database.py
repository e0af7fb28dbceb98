"""The database: one engine for SQLite or PostgreSQL, with bounded waits.

Each statement of a read sees what is committed at that moment; a write is one
transaction. Exceptions of SQLAlchemy become `StorageFailed`, outages
`StorageUnavailable` (`translation.py`). The statements are in the stores.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError

from app.flows.errors import SchemaMismatch, StorageUnavailable
from app.stores.errors import DatabaseURLInvalid
from app.stores.sql import postgresql, sqlite
from app.stores.sql.sqlite_file import MISSING
from app.stores.sql.versions import (
    CURRENT,
    create_release,
    create_schema,
    require_current,
    upgrade,
    version_of,
)

from .dialect import Dialect, Listener
from .joint import Joint
from .quick import Executor, Statement
from .translation import Translated, TranslatedReads, name_of

T = TypeVar("T")

WRITER_TIMEOUT = 5.0


class Database:
    """Where the stores read and write."""

    def __init__(
        self, url: URL, dialect: Dialect, *, writer_timeout: float = WRITER_TIMEOUT
    ) -> None:
        self._writer_timeout = writer_timeout
        self._dialect = dialect
        self._url = url
        self._name = name_of(url)
        self._engine = dialect.create(url)
        self._reader = dialect.reading(self._engine)
        self._writer = threading.Lock() if dialect.ONE_WRITER else None
        self._joined: ContextVar[Joint | None] = ContextVar(
            "the transaction of this context", default=None
        )

    @property
    def path(self) -> Path | None:
        """The database's file; None when it is on a server."""
        return self._dialect.path_of(self._url)

    @property
    def now_sql(self) -> str:
        """SQL for the epoch seconds by which leases are judged.

        The database's own clock where nodes share it, because their clocks differ;
        the parameter `:now` on SQLite.
        """
        return self._dialect.NOW

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a connection for reading."""
        joined = self._joined.get()
        with Translated(self._name):
            if joined is not None:
                yield joined.connection
                return
            with self._reader.connect() as connection:
                yield connection

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """Open a transaction for writing, committed at the end of the block.

        Only statements belong into the block: a wait for something else in it
        makes every other writer wait too. `durable=False` is for what may be lost in
        a power cut (a cache, a sweep): the commit does not wait for the disk. Inside
        `together` the block is a part of that transaction.
        """
        joined = self._joined.get()
        with Translated(self._name, is_write=True):
            if joined is not None:
                yield joined.connection
                return
            with self._alone(), self._engine.connect() as connection:
                connection.begin()  # also for statements that SQLAlchemy does not see
                self._dialect.begin(connection, durable=durable)
                yield connection
                connection.commit()

    def quick_read(self) -> AbstractContextManager[Executor]:
        """Do what `read` does, for what every sign-in reads (`sql/quick.py`)."""
        joined = self._joined.get()
        if joined is not None:
            return TranslatedReads(self._name, nullcontext(joined.quick))
        return TranslatedReads(self._name, self._dialect.quick_read(self._engine))

    @contextmanager
    def quick_write(self, *, durable: bool = True) -> Iterator[Executor]:
        """Do what `write` does, for what every sign-in writes (`sql/quick.py`)."""
        joined = self._joined.get()
        with Translated(self._name, is_write=True):
            if joined is not None:
                yield joined.quick
                return
            opened = self._dialect.quick_write(self._engine, durable=durable)
            with self._alone(), opened as executor:
                yield executor

    def all(
        self, make: Callable[..., T], statement: Statement, /, **values: Any
    ) -> list[T]:
        """Read rows; return what `make` makes of the columns of each."""
        with self.read() as connection:
            rows = connection.execute(statement, values).mappings().all()
        return [make(**row) for row in rows]

    def one(
        self, make: Callable[..., T], statement: Statement, /, **values: Any
    ) -> T | None:
        """Read a row in the quickest way; return what `make` makes of it, or None."""
        with self.quick_read() as connection:
            row = connection.execute(statement, values).mappings().one_or_none()
        return None if row is None else make(**row)

    @contextmanager
    def together(self, *, durable: bool = True) -> Iterator[None]:
        """Make one transaction of the reads and writes in the block.

        Each commit costs as much as several statements. What is true for `write` is
        true here: no waiting in the block, and `durable`, which counts for all writes
        in it. An error in it undoes all of them.
        """
        if self._joined.get() is not None:
            yield
            return
        opened = self._dialect.joint(self._engine, durable=durable)
        undone = Translated(self._name, is_write=True)
        with undone, self._alone(), opened as joint:
            token = self._joined.set(joint)
            try:
                yield
            finally:
                self._joined.reset(token)

    def notify(self, connection: Connection, channel: str, payload: str) -> None:
        """Tell the listeners of a channel when this transaction commits.

        Only PostgreSQL needs it; on SQLite they notice every commit.
        """
        self._dialect.notify(connection, channel, payload)

    @contextmanager
    def listen(self, channel: str) -> Iterator[Listener]:
        """Listen on a connection of its own: what is committed from now on is heard."""
        with Translated(self._name), self._reader.connect() as connection:
            connection.detach()  # closed in the end instead of given back
            yield self._dialect.listen(connection, channel)

    def make(self) -> None:
        """Make the empty file of a new database, if it is missing.

        Nothing else makes it: a service that finds none has probably lost a volume, and
        must not start an empty platform.
        """
        self._dialect.make(self._url)

    def apply_schema(self) -> bool:
        """Create the tables of a new database; False if this release made them before.

        Safe to repeat, and for processes in a race.

        Raises:
            SchemaMismatch: the tables are another release's.
        """
        self.make()
        with self.write() as connection:
            self._dialect.lock_schema(connection)
            return create_schema(connection)

    def schema_version(self) -> str | None:
        """Return the release whose schema the tables have; None without tables."""
        with self.read() as connection:
            return version_of(connection)

    def require_schema(self) -> None:
        """Raise `SchemaMismatch` unless the tables are those of this release."""
        if self._is_missing():
            raise SchemaMismatch(f"{self.path} {MISSING}")
        with self.read() as connection:
            require_current(connection)

    def upgrade_schema(self, report: Callable[[str], None]) -> tuple[str | None, str]:
        """Migrate to the schema of this release; `report` hears of each step.

        Returns the versions before and after; None before is an empty database, which
        stays empty. Other processes that migrate wait, and find it done. Interrupted,
        it may run again.

        Raises:
            SchemaMismatch: a release that this one does not know made the tables.
        """
        if self._is_missing():
            return None, CURRENT
        with (
            Translated(self._name),
            self._dialect.migrating(self._engine) as connection,
        ):
            return upgrade(connection, report)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Open a connection whose statements all see the same moment."""
        with Translated(self._name), self._dialect.snapshot(self._engine) as connection:
            yield connection

    @contextmanager
    def create(self, schema: str) -> Iterator[Connection]:
        """Create the tables of a release in an empty database, in one transaction.

        The block fills them; if it fails, the database stays empty.

        Raises:
            SchemaMismatch: the database is not empty, or the release is unknown.
        """
        self.make()
        with self.write() as connection:
            self._dialect.lock_schema(connection)
            create_release(connection, schema)
            yield connection

    def _is_missing(self) -> bool:
        return self.path is not None and not self.path.exists()

    def watch_pool(self, changed: Callable[[int], None]) -> None:
        """Call `changed` with the connections in use, whenever they become others."""
        pool: Any = self._engine.pool

        # At a checkin the connection counts still.
        event.listen(self._engine, "checkout", lambda *_: changed(pool.checkedout()))
        event.listen(self._engine, "checkin", lambda *_: changed(pool.checkedout() - 1))

    def ping(self) -> None:
        """Run a statement. Raises `StorageFailed` if the database does not answer."""
        with self.read() as connection:
            connection.exec_driver_sql("SELECT 1")

    def close(self) -> None:
        """Close the kept connections; the next use opens new ones."""
        self._engine.dispose()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        # SQLite waits for its write lock in C, where gevent cannot switch: a greenlet
        # waiting there would keep the one that holds the lock from ever giving it
        # back. So the writers of one process queue here, where waiting is cooperative.
        if self._writer is None:
            yield
            return
        if not self._writer.acquire(timeout=self._writer_timeout):
            raise StorageUnavailable("another writer of this process takes too long")
        try:
            yield
        finally:
            self._writer.release()


def open_database(url: str) -> Database:
    """Open the database that DATABASE_URL names; connects at the first use.

    Raises:
        DatabaseURLInvalid: a malformed URL, or another database.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Not chained: the reason may quote a part of the URL, the password's part too.
        raise DatabaseURLInvalid("not a database URL") from None
    match parsed.get_backend_name():
        case "sqlite":
            return Database(parsed, sqlite)
        case "postgresql":
            return Database(parsed, postgresql)
        case other:
            raise DatabaseURLInvalid(f"{other} is neither sqlite nor postgresql")
