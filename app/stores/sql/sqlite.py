"""SQLite as Latchkey uses it: write-ahead log, kept connections, immediate writes.

Durability is chosen for each write. FULL keeps the last commit through a power cut and
costs one sync of the log: a session, a key, a username or a taken auth request that
came back would be a lie told to a person. NORMAL may lose the last commits (never the
database): right for caches and sweeps, which only do their work again.
"""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError, OperationalError

from app.stores.errors import DatabaseURLInvalid

from .quick import Quick, quick

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import URL, Connection

    from .quick import Executor

log = logging.getLogger(__name__)

_warned_about: set[Path] = set()
"""Directories that this process has warned about: each is opened several times."""

ONE_WRITER = True
NOW = ":now"
BUSY_TIMEOUT = 5.0
MIGRATION_TIMEOUT = 60.0
OWNER_ONLY = 0o600
LOOK_INTERVAL = 0.01
LOOKS = 10
DEVELOPMENT = Path("var")
"""The directory of loopback development, made when it is missing."""

MISSING = (
    "does not exist: mount its volume or restore a backup; for a new platform run "
    "`flask --app wsgi init`"
)
NOT_USABLE = "no file that we may read and write"
PRIMARY_CODE = 0xFF
"""The byte of an error code that says what kind it is; the others refine it."""


def create(url: URL) -> Engine:
    """Make the engine; the file is made by `make` alone.

    Raises:
        DatabaseURLInvalid: no file of ours can be at that path.
    """
    path = path_of(url)
    try:
        _check_path(path)
    except OSError as error:
        raise DatabaseURLInvalid(f"{path}: {error.strerror}") from error
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT},
        hide_parameters=True,  # an error in the log shows no row
        # SQLite works while it holds the interpreter or the one write lock: more
        # connections would only wait for each other.
        pool_size=5,
        # The connection that was used last knows the pages and statements.
        pool_use_lifo=True,
        max_overflow=10,
        pool_timeout=BUSY_TIMEOUT,
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "checkout", _ForkGuard().check)
    same_file = _SameFile(path)
    event.listen(engine, "do_connect", same_file.require)
    event.listen(engine, "connect", same_file.remember)
    event.listen(engine, "checkout", same_file.check)
    return engine


def path_of(url: URL) -> Path:
    """Return the database's file.

    Raises:
        DatabaseURLInvalid: the URL names none.
    """
    if not url.database or url.database.startswith((":", "file:")):
        raise DatabaseURLInvalid("sqlite needs a file: processes share the database")
    return Path(url.database)


def make(url: URL) -> None:
    """Make the file, if it is missing.

    Raises:
        DatabaseURLInvalid: it cannot be made.
    """
    path = path_of(url)
    try:
        make_private(path)
    except OSError as error:
        raise DatabaseURLInvalid(f"{path}: {error.strerror}") from error


def reading(engine: Engine) -> Engine:
    """Return the engine itself: outside `begin` each statement stands alone."""
    return engine


def begin(connection: Connection, *, durable: bool) -> None:
    """Take the write lock at once, waiting for it at most BUSY_TIMEOUT.

    A deferred BEGIN that reads first and writes later fails without any waiting when
    another process wrote in between.
    """
    # On the driver's connection: through SQLAlchemy these two take as long as a row.
    driver: Any = connection.connection.driver_connection
    try:
        _begin(driver, connection.info, durable=durable)
    except sqlite3.Error as error:
        raise OperationalError("BEGIN IMMEDIATE", None, error) from error


def quick_in(connection: Connection) -> Executor:
    """Return the quickest way to execute statements in a transaction."""
    driver: Any = connection.connection.driver_connection
    return Quick(driver)


@contextmanager
def quick_read(engine: Engine) -> Iterator[Executor]:
    """Open a connection whose statements stand alone."""
    with quick(engine) as (connection, _):
        yield connection


@contextmanager
def quick_write(engine: Engine, *, durable: bool) -> Iterator[Executor]:
    """Open a transaction, committed at the end of the block."""
    with quick(engine) as (connection, info):
        _begin(connection.driver, info, durable=durable)
        yield connection
        connection.driver.commit()


def _begin(driver: Any, info: dict[str, Any], *, durable: bool) -> None:
    synchronous = "FULL" if durable else "NORMAL"
    if info.get("synchronous") != synchronous:
        driver.execute(f"PRAGMA synchronous = {synchronous}")
        info["synchronous"] = synchronous
    driver.execute("BEGIN IMMEDIATE")


def lock_schema(_connection: Connection) -> None:
    """Do nothing: the write lock covers the schema."""


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that reads: it sees the moment of its first statement."""
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        yield connection


@contextmanager
def migrating(engine: Engine) -> Iterator[Connection]:
    """Open a transaction for a migration: all of it, or nothing when interrupted."""
    with engine.connect() as connection:
        _begin_patiently(connection)
        yield connection
        connection.commit()


def _begin_patiently(connection: Connection) -> None:
    until = time.monotonic() + MIGRATION_TIMEOUT
    while True:
        try:
            begin(connection, durable=True)
        except OperationalError:
            if time.monotonic() >= until:
                raise
        else:
            return


def notify(_connection: Connection, _channel: str, _payload: str) -> None:
    """Do nothing: a listener notices every commit."""


class Listener:
    """Looks whether another connection committed, in a page of shared memory."""

    def __init__(self, connection: Connection, _channel: str) -> None:
        self.connection = connection
        # Waiting in C would hold up every greenlet of the process.
        connection.exec_driver_sql("PRAGMA busy_timeout = 0")
        self._version = self._look()

    def wait(self) -> Collection[str] | None:
        """Look every 10 ms, a tenth of a second long; None once there was a commit."""
        for _ in range(LOOKS):
            version = self._look()
            if version != self._version:
                self._version = version
                return None
            time.sleep(LOOK_INTERVAL)
        return ()

    def _look(self) -> Any:
        return self.connection.exec_driver_sql("PRAGMA data_version").scalar()


listen = Listener


def _check_path(path: Path) -> None:
    """Refuse a path that cannot be used, and warn about a directory open to all.

    Only the directory of development is made. A missing one may be a volume that is
    not mounted: a directory in its place would start an empty platform.
    """
    directory = path.parent
    if directory == DEVELOPMENT:
        directory.mkdir(mode=0o700, exist_ok=True)
    if not directory.is_dir():
        raise DatabaseURLInvalid(
            f"the directory {directory} does not exist; mount its volume, or make it"
        )
    if path.exists() and not path.is_file():
        raise DatabaseURLInvalid(f"{path} is no file")
    if directory.stat().st_mode & stat.S_IWOTH and directory not in _warned_about:
        _warned_about.add(directory)
        log.warning(
            "every user of this machine can write to %s, where the database is: "
            "chmod o-w it",
            directory,
        )


def make_private(path: Path) -> None:
    """Make the file, private before SQLite opens it; its log files take over the mode.

    One that is there is not opened: closing it would let go of the locks of all SQLite
    connections of this process, and another process could then delete the log that they
    write to.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, OWNER_ONLY))
    if not _is_usable(path):
        raise OSError(errno.EACCES, NOT_USABLE)


def _is_usable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.R_OK | os.W_OK)


def _configure(connection: Any, _record: object) -> None:
    # None: the driver begins no transaction of its own, `begin` above does.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    begin_log(connection)


def begin_log(connection: Any) -> None:
    """Turn the file to WAL, for good; nothing to do where that was done before.

    Of processes that do so at once some are refused without any waiting: SQLite asks
    no one to be patient while the mode changes. So the patience is ours.
    """
    until = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & PRIMARY_CODE == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() >= until:
                raise
            time.sleep(LOOK_INTERVAL)
        else:
            return


class _SameFile:
    """Keeps connections to the file that is at the path now.

    A deleted file can still be read and written by those that have it open, and a
    restart loses what they wrote.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def require(self, *_: object) -> None:
        """Refuse to connect when there is no file; SQLite would make an empty one."""
        if self._identity() is None:
            raise sqlite3.OperationalError(f"{self._path} {MISSING}")

    def remember(self, _connection: object, record: Any) -> None:
        """Note which file a new connection has open."""
        record.info["file"] = self._identity()

    def check(self, _connection: object, record: Any, _proxy: object) -> None:
        """Refuse a connection to a deleted file; the pool opens a new one."""
        if record.info.get("file") != self._identity():
            raise DisconnectionError(f"{self._path} was deleted or replaced")

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino


class _ForkGuard:
    """Keeps connections from crossing a fork, which SQLite forbids."""

    def __init__(self) -> None:
        # Never closed here, not even by the garbage collector: closing would let go
        # of locks and log files that the parent still uses.
        self._inherited: list[object] = []

    def check(self, connection: object, record: Any, proxy: Any) -> None:
        """Refuse a connection that another process opened; the pool opens a new one."""
        owner = record.info.setdefault("process", os.getpid())
        if owner != os.getpid():
            self._inherited.append(connection)
            record.dbapi_connection = proxy.dbapi_connection = None
            raise DisconnectionError(f"opened by process {owner}")
