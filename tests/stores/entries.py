"""Rows to write into the simplest table, and to read from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from app.stores.sql.database import Database

ADD = text("INSERT INTO cache_entries VALUES (:key, '', 0)")


def keys(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(text("SELECT key FROM cache_entries")).scalars())


def add(database: Database, key: str, **how: Any) -> None:
    with database.write(**how) as connection:
        connection.execute(ADD, {"key": key})
