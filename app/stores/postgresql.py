"""PostgreSQL as Latchkey uses it: what several nodes share.

Every wait is bounded, so that a database in trouble costs a request seconds and not a
worker. psycopg waits cooperatively under gevent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event, text

from app.stores.errors import DatabaseURLInvalid

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

ONE_WRITER = False
CONNECT_TIMEOUT = 3
STATEMENT_TIMEOUT = "5s"
POOL_TIMEOUT = 5.0
SCHEMA_LOCK = 0x1A7C4  # any number, the same on every node


def create(url: URL) -> Engine:
    """Make the engine. Raises `DatabaseURLInvalid` when psycopg is not installed."""
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args={"connect_timeout": CONNECT_TIMEOUT},
            hide_parameters=True,  # an error in the log shows no row
            # A restart of the server costs nobody a login: dead connections are
            # noticed when they leave the pool.
            pool_pre_ping=True,
            pool_size=10,
            max_overflow=10,
            pool_timeout=POOL_TIMEOUT,
        )
    except ModuleNotFoundError as error:
        raise DatabaseURLInvalid("postgresql needs the extra `postgres`") from error
    event.listen(engine, "connect", _configure)
    return engine


def reading(engine: Engine) -> Engine:
    """Return an engine on the same pool whose statements stand alone."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def begin(connection: Connection, *, durable: bool) -> None:
    """Begin a transaction, which is implicit but for its durability."""
    if not durable:
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")


def lock_schema(connection: Connection) -> None:
    """Let one process at a time create tables: IF NOT EXISTS alone races."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")


def notify(connection: Connection, channel: str, payload: str) -> None:
    """Tell every process that listens, once the transaction is committed."""
    connection.execute(
        text("SELECT pg_notify(:channel, :payload)"),
        {"channel": channel, "payload": payload},
    )


def _configure(connection: Any, _record: object) -> None:
    for setting in ("statement_timeout", "lock_timeout"):
        connection.execute(f"SET SESSION {setting} = '{STATEMENT_TIMEOUT}'")
    connection.commit()
