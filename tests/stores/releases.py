"""Databases of earlier releases, with a row in every table, and how schemas compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData, insert, inspect, select, text

from app.stores.migrations.versions import v0_1_0
from app.stores.sql.statements import statements
from app.stores.sql.versions import BOOKKEEPING, OLDEST_OF

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection

    from app.stores.sql.database import Database

FIRST = "0.1.0"
ALLOWED = {"status": "pending", "ring": "platform"}
"""Values of columns that have a CHECK."""


def create_first_release(database: Database) -> None:
    """Create the tables as `init` of release 0.1.0 did: without a version."""
    database.make()
    with database.write() as connection:
        for statement in statements(Path(v0_1_0.SCHEMA).read_text()):
            connection.exec_driver_sql(statement)


def create_release(database: Database, release: str) -> None:
    """Create the tables of a release as its own `init` did."""
    if release == FIRST:
        create_first_release(database)
        return
    with database.create(release):
        """The tables stay empty."""


def fill(database: Database) -> None:
    """Write a row with a value in each column into every table."""
    database.make()
    with database.write() as connection:
        for table in _tables(connection):
            connection.execute(insert(table), {c.name: _value(c) for c in table.c})


def rows(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table but the version's, without NULL values."""
    with database.read() as connection:
        return {
            table.name: [
                {name: value for name, value in row.items() if value is not None}
                for row in connection.execute(select(table)).mappings()
            ]
            for table in _tables(connection)
        }


def schema_of(database: Database) -> dict[str, Any]:
    """Return columns, types, keys, constraints and indexes in a comparable form."""
    with database.read() as connection:
        inspector = inspect(connection)
        found = {name: _table(inspector, name) for name in inspector.get_table_names()}
        oldest = connection.execute(OLDEST_OF).scalar()
        return {**found, "indexes": _index_definitions(connection), "oldest": oldest}


def _tables(connection: Connection) -> list[Any]:
    schema = MetaData()
    schema.reflect(connection)
    return [table for table in schema.sorted_tables if table.name not in BOOKKEEPING]


def _value(column: Column[Any]) -> Any:
    if column.name == "status" and column.table.name == "signing_keys":
        return "active"
    if column.name in ALLOWED:
        return ALLOWED[column.name]
    kind = column.type.python_type
    return 1_700_000_000 if kind is int else f"{column.table.name}.{column.name}"


def _table(inspector: Any, name: str) -> dict[str, Any]:
    columns = {
        one["name"]: (str(one["type"]), one["nullable"], one["default"])
        for one in inspector.get_columns(name)
    }
    checks = {one["sqltext"] for one in inspector.get_check_constraints(name)}
    uniques = {
        tuple(one["column_names"]) for one in inspector.get_unique_constraints(name)
    }
    keys = inspector.get_pk_constraint(name)["constrained_columns"]
    foreign = sorted(map(str, inspector.get_foreign_keys(name)))
    return {
        "columns": columns,
        "checks": checks,
        "uniques": uniques,
        "primary key": keys,
        "foreign keys": foreign,
    }


def _index_definitions(connection: Connection) -> set[str]:
    query = {
        "sqlite": "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql <> ''",
        "postgresql": """
            SELECT pg_get_indexdef(indexrelid) || indisvalid::text FROM pg_index
            WHERE indrelid IN (SELECT oid FROM pg_class
                               WHERE relnamespace = 'public'::regnamespace)
        """,
    }[connection.dialect.name]
    found = connection.execute(text(query)).scalars()
    return {" ".join(one.replace("IF NOT EXISTS ", "").split()) for one in found}
