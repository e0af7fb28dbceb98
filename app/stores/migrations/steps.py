"""The steps of migrations: each looks first whether it was done, so it may run again.

On PostgreSQL each step is a transaction of its own and waits for a table a second at
most, because every other statement on the table waits behind it; then it tries again.
On SQLite all steps of an upgrade are one transaction.
"""

from __future__ import annotations

import time
from typing import Final

from alembic import op
from sqlalchemy import inspect, text
from sqlalchemy.exc import OperationalError

from app.stores.sql.postgresql import TABLE_TIMEOUT

TRIES: Final = 60
PAUSE: Final = 1.0
"""Seconds in which the service works off what waited behind a step."""

LOCK_NOT_AVAILABLE: Final = "55P03"
INVALID_INDEX = text(
    "SELECT 1 FROM pg_index WHERE NOT indisvalid AND indexrelid = to_regclass(:name)"
)


def add_column(table: str, column: str, kind: str) -> None:
    """Add a column that may be NULL, with its type as schema.sql has it."""
    present = {one["name"] for one in inspect(op.get_bind()).get_columns(table)}
    if column not in present:
        execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")


def create_index(name: str, on: str) -> None:
    """Create an index; `on` is the table with its columns, as in schema.sql.

    An upgrade of PostgreSQL builds it while others write, and waits for transactions
    that are older, such as a backup, without holding up others. What an interrupted
    build leaves behind is marked invalid there, and dropped here.
    """
    if not _is_concurrent():
        execute(f"CREATE INDEX IF NOT EXISTS {name} ON {on}")
        return
    connection = op.get_bind()
    connection.exec_driver_sql("SET SESSION lock_timeout = 0")
    if connection.execute(INVALID_INDEX, {"name": name}).scalar():
        execute(f"DROP INDEX CONCURRENTLY {name}")
    execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {on}")
    connection.exec_driver_sql(f"SET SESSION lock_timeout = '{TABLE_TIMEOUT}'")


def name_oldest(release: str) -> None:
    """Record the oldest release whose services run on the new schema."""
    execute("DELETE FROM schema_support")
    execute(f"INSERT INTO schema_support VALUES ('{release}')")  # noqa: S608 - ours


def _is_concurrent() -> bool:
    """Tell whether each statement is a transaction of its own, on PostgreSQL."""
    connection = op.get_bind()
    level = connection.get_execution_options().get("isolation_level")
    return connection.dialect.name == "postgresql" and level == "AUTOCOMMIT"


def execute(statement: str) -> None:
    """Run a statement that may run again, such as CREATE TABLE IF NOT EXISTS."""
    report = op.get_context().config.attributes["report"]  # type: ignore[union-attr]
    report(" ".join(statement.split()))
    for tried in range(1, TRIES + 1):
        try:
            op.get_bind().exec_driver_sql(statement)
        except OperationalError as error:
            is_locked = getattr(error.orig, "sqlstate", "") == LOCK_NOT_AVAILABLE
            if not is_locked or tried == TRIES:
                raise
            time.sleep(PAUSE)
        else:
            return
