"""PostgreSQL as Latchkey uses it: what several nodes share.

Every wait is bounded, so that a database in trouble costs a request seconds and not a
worker. psycopg waits cooperatively under gevent.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text

from app.flows.errors import StorageUnavailable
from app.stores.errors import DatabaseURLInvalid

from .joint import Joint
from .quick import Executor

ONE_WRITER = False
NOW = "CAST(extract(epoch FROM clock_timestamp()) AS BIGINT)"
CONNECT_TIMEOUT = 3
STATEMENT_TIMEOUT = "5s"
POOL_TIMEOUT = 5.0
LISTEN_TIMEOUT = 1.0
# A connection whose other end is gone without a word is noticed within seconds.
KEEPALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
NOTIFY = text("SELECT pg_notify(:channel, :payload)")
SCHEMA_LOCK = 0x1A7C4  # any number, the same on every node
TRY_SCHEMA_LOCK = f"SELECT pg_try_advisory_lock({SCHEMA_LOCK})"
TABLE_TIMEOUT = "1s"


def create(url: URL) -> Engine:
    """Make the engine. Raises `DatabaseURLInvalid` when psycopg is not installed."""
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args={"connect_timeout": CONNECT_TIMEOUT, **KEEPALIVE},
            hide_parameters=True,  # an error in the log shows no row
            # A restart of the server costs no login: dead connections are
            # noticed when they leave the pool.
            pool_pre_ping=True,
            pool_size=10,
            max_overflow=10,
            pool_timeout=POOL_TIMEOUT,
        )
    except ModuleNotFoundError as error:
        raise DatabaseURLInvalid("postgresql needs the extra `postgres`") from error
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "connect", _configure)
    return engine


def path_of(_url: URL) -> None:
    """Return None: the database is on a server."""


def make(_url: URL) -> None:
    """Do nothing: the server's administrator creates the database."""


def reading(engine: Engine) -> Engine:
    """Return an engine on the same pool whose statements stand alone."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def begin(connection: Connection, *, durable: bool) -> None:
    """Begin a transaction, which is implicit but for its durability."""
    if not durable:
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")


@contextmanager
def quick_read(engine: Engine) -> Iterator[Executor]:
    """Open a connection whose statements stand alone."""
    with reading(engine).connect() as connection:
        yield connection


@contextmanager
def quick_write(engine: Engine, *, durable: bool) -> Iterator[Executor]:
    """Open a transaction, committed at the end of the block."""
    with engine.connect() as connection:
        begin(connection, durable=durable)
        yield connection
        connection.commit()


@contextmanager
def joint(engine: Engine, *, durable: bool) -> Iterator[Joint]:
    """Open a transaction for several stores, committed at the end of the block."""
    with engine.connect() as connection:
        begin(connection, durable=durable)
        yield Joint(connection, lambda: connection)
        connection.commit()


def lock_schema(connection: Connection) -> None:
    """Let one process at a time create tables: IF NOT EXISTS alone races."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only reads and sees one moment, without a time limit."""
    reader = engine.execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    )
    with reader.connect() as connection:
        _lift_limits(connection)
        yield connection


@contextmanager
def migrating(engine: Engine) -> Iterator[Connection]:
    """Open a connection whose statements stand alone, for one process at a time.

    They may take as long as they need. A migration waits for a table a second at most,
    because every statement of the service waits behind it.
    """
    with reading(engine).connect() as connection:
        _lift_limits(connection)
        connection.exec_driver_sql(f"SET SESSION lock_timeout = '{TABLE_TIMEOUT}'")
        # Asked again and again: a statement that waits for the lock would keep a
        # snapshot, and CREATE INDEX CONCURRENTLY waits until that is gone.
        while not connection.exec_driver_sql(TRY_SCHEMA_LOCK).scalar():
            time.sleep(LISTEN_TIMEOUT)
        yield connection


def _lift_limits(connection: Connection) -> None:
    connection.detach()  # closed in the end, without its limits
    driver: Any = connection.connection.dbapi_connection
    driver.wait_limit = None
    connection.exec_driver_sql("SET SESSION statement_timeout = 0")


def notify(connection: Connection, channel: str, payload: str) -> None:
    """Tell the listeners of a channel when this transaction commits."""
    connection.execute(NOTIFY, {"channel": channel, "payload": payload})


class Listener:
    """Waits for notifications, which arrive once their transaction has committed."""

    def __init__(self, connection: Connection, channel: str) -> None:
        self.connection = connection
        connection.exec_driver_sql(f'LISTEN "{channel}"')

    def wait(self) -> Collection[str]:
        """Return the payloads of what arrives within a second."""
        driver: Any = self.connection.connection.dbapi_connection
        failure = self.connection.dialect.loaded_dbapi.Error
        try:
            arrived = list(driver.notifies(timeout=LISTEN_TIMEOUT, stop_after=1))
        except failure as error:
            raise StorageUnavailable(f"{type(error).__name__}: {error}") from error
        return [notification.payload for notification in arrived]


listen = Listener


def _connect(_dialect: object, _record: object, cargs: Any, cparams: Any) -> Any:
    """Open a connection that waits for its server for a limited time."""
    from .bounded import BoundedConnection  # noqa: PLC0415 - psycopg is an extra

    return BoundedConnection.connect(*cargs, **cparams)


def _configure(connection: Any, _record: object) -> None:
    for setting in ("statement_timeout", "lock_timeout"):
        connection.execute(f"SET SESSION {setting} = '{STATEMENT_TIMEOUT}'")
    connection.commit()
