"""SQLite as Latchkey uses it: write-ahead log, kept connections, immediate writes.

Durability is chosen for each write. FULL keeps the last commit through a power cut and
costs one sync of the log: a session, a key, a username or a taken auth request that
came back would be a lie told to a person. NORMAL may lose the last commits (never the
database): right for caches and sweeps, which only do their work again.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from app.stores.errors import DatabaseURLInvalid

from .joint import Joint
from .quick import Executor, Taken
from .readers import Readers, Reading, Writing
from .sqlite_file import ForkGuard, SameFile, check_path, make_private

ONE_WRITER = True
NOW = ":now"
BUSY_TIMEOUT = 5.0
MIGRATION_TIMEOUT = 60.0
LOOK_INTERVAL = 0.01
FIRST_PAUSE = 0.001
"""Seconds: most writers of another process are done after one or two of them."""
LOOKS = 10
READERS = "latchkey_readers"
"""Execution option of an engine that has its readers."""
WRITERS = "latchkey_writers"
PRIMARY_CODE = 0xFF
"""The byte of an error code that says what kind it is; the others refine it."""


def create(url: URL) -> Engine:
    """Make the engine; the file is made by `make` alone.

    Raises:
        DatabaseURLInvalid: no file of ours can be at that path.
    """
    path = path_of(url)
    try:
        check_path(path)
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
    event.listen(engine, "checkout", ForkGuard().check)
    same_file = SameFile(path)
    event.listen(engine, "do_connect", same_file.require)
    event.listen(engine, "connect", same_file.remember)
    event.listen(engine, "checkout", same_file.check)
    for name in (READERS, WRITERS):
        kept = Readers(engine, same_file.identity)
        engine.update_execution_options(**{name: kept})
        event.listen(engine, "engine_disposed", kept.close)
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


def quick_read(engine: Engine) -> AbstractContextManager[Executor]:
    """Open a connection whose statements stand alone."""
    return Reading(engine.get_execution_options()[READERS])


def quick_write(engine: Engine, *, durable: bool) -> AbstractContextManager[Executor]:
    """Open a transaction, committed at the end of the block."""
    writers = engine.get_execution_options()[WRITERS]
    return Writing(writers, partial(_begin, durable=durable))


@contextmanager
def joint(engine: Engine, *, durable: bool) -> Iterator[Joint]:
    """Open a transaction for several stores, committed at the end of the block."""
    taken = Taken(engine)
    with taken as quick:
        _begin(quick.driver, taken.info, durable=durable)
        yield Joint(quick, taken.connection)
        quick.driver.commit()


def _begin(driver: Any, info: dict[str, Any], *, durable: bool) -> None:
    synchronous = "FULL" if durable else "NORMAL"
    if info.get("synchronous") != synchronous:
        driver.execute(f"PRAGMA synchronous = {synchronous}")
        info["synchronous"] = synchronous
    # SQLite waits in C, which would hold up every greenlet of the process.
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        _patiently(driver, "BEGIN IMMEDIATE")
    finally:
        driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT * 1000:.0f}")


def _patiently(driver: Any, statement: str) -> None:
    """Execute a statement, again and again while others keep the file busy."""
    until = time.monotonic() + BUSY_TIMEOUT
    pause = FIRST_PAUSE
    while True:
        try:
            driver.execute(statement)
        except sqlite3.OperationalError as error:
            if kind_of(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(pause)
            pause = min(2 * pause, LOOK_INTERVAL)
        else:
            return


def kind_of(error: sqlite3.Error) -> int:
    """Return the result code of the kind of error; 0 where SQLite gave none."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & PRIMARY_CODE


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
    _patiently(connection, "PRAGMA journal_mode = WAL")
