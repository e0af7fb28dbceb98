"""Columns that joined a table after its first release.

`CREATE TABLE IF NOT EXISTS` leaves an older table as it is, and SQLite knows no ADD
COLUMN IF NOT EXISTS: so `apply_schema` looks what is there. What stands here may be
NULL, because the release before, which still runs during an upgrade, does not write it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import inspect

if TYPE_CHECKING:
    from sqlalchemy import Connection

ADDED: Final = (
    ("oauth_sessions", "lease_holder", "TEXT"),
    ("oauth_sessions", "lease_until", "BIGINT"),
    ("sessions", "app_name", "TEXT"),
    ("sessions", "granted_scope", "TEXT"),
    ("users", "issuer", "TEXT"),
)


def add_missing_columns(connection: Connection) -> None:
    """Add the columns that the tables of an older release lack."""
    inspector = inspect(connection)
    for table, column, kind in ADDED:
        present = {one["name"] for one in inspector.get_columns(table)}
        if column not in present:
            connection.exec_driver_sql(
                f"ALTER TABLE {table} ADD COLUMN {column} {kind}"
            )
