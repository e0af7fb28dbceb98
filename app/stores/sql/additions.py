"""Columns that were added to a table after its first release (schema migration).

`CREATE TABLE IF NOT EXISTS` does not change an older table, and SQLite has no ADD
COLUMN IF NOT EXISTS, so `apply_schema` looks which columns exist. All of these may be
NULL, because the release before, which runs on during an upgrade, does not write them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import inspect

if TYPE_CHECKING:
    from sqlalchemy import Connection

ADDED: Final = (
    ("oauth_sessions", "lease_holder", "TEXT"),
    ("oauth_sessions", "lease_until", "BIGINT"),
    ("oauth_sessions", "sweep_runs", "BIGINT"),
    ("oauth_sessions", "refused_at", "BIGINT"),
    ("oauth_sessions", "retry_at", "BIGINT"),
    ("sessions", "app_name", "TEXT"),
    ("sessions", "granted_scope", "TEXT"),
    ("sessions", "pending_for", "TEXT"),
    ("users", "issuer", "TEXT"),
)


def add_missing_columns(connection: Connection) -> None:
    """Add the columns that the tables of an older release do not have."""
    inspector = inspect(connection)
    for table, column, kind in ADDED:
        present = {one["name"] for one in inspector.get_columns(table)}
        if column not in present:
            connection.exec_driver_sql(
                f"ALTER TABLE {table} ADD COLUMN {column} {kind}"
            )
