"""SQLite statements without SQLAlchemy's execution, for what every sign-in does.

SQLAlchemy takes several times as long to execute a statement as SQLite does. `Quick`
executes the same `text` statements on the driver's connection, which the same pool
keeps, and has the part of the interface of its `Connection` that the stores use.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol, Self

from sqlalchemy import Connection, Engine, RowMapping, TextClause, TextualSelect
from sqlalchemy.exc import DBAPIError

Statement = TextClause | TextualSelect
MappedRow = RowMapping | Mapping[str, Any]


class Rows(Protocol):
    """The rows of a statement, as SQLAlchemy's `Result` has them."""

    @property
    def rowcount(self) -> int:
        """How many rows an INSERT, UPDATE or DELETE changed."""

    def mappings(self) -> Any:
        """Return the same rows as mappings by column."""

    def all(self) -> Sequence[Any]:
        """Return all rows."""

    def one_or_none(self) -> Any:
        """Return the only row, or None."""

    def scalar(self) -> Any:
        """Return the first column of the first row, or None."""

    def scalars(self) -> Any:
        """Return the same rows, each as its first column."""


class Executor(Protocol):
    """A connection for statements: SQLAlchemy's, or `Quick`."""

    def execute(
        self, statement: Statement, parameters: Mapping[str, Any] | None = None, /
    ) -> Rows:
        """Execute a statement with its named parameters."""


class _Result:
    def __init__(self, rows: list[Any], rowcount: int, names: tuple[str, ...]) -> None:
        self._rows = rows
        self.rowcount = rowcount
        self._names = names

    def mappings(self) -> Self:
        self._rows = [dict(zip(self._names, row, strict=True)) for row in self._rows]
        return self

    def scalars(self) -> Self:
        self._rows = [row[0] for row in self._rows]
        return self

    def all(self) -> list[Any]:
        return self._rows

    def one_or_none(self) -> Any:
        return self._rows[0] if self._rows else None

    def scalar(self) -> Any:
        return self._rows[0][0] if self._rows else None


class Quick:
    """A driver's connection that executes the statements of the stores."""

    def __init__(self, driver: sqlite3.Connection) -> None:
        self.driver = driver

    def execute(
        self, statement: Statement, parameters: Mapping[str, Any] | None = None, /
    ) -> _Result:
        """Execute a statement. Raises what SQLAlchemy would raise."""
        sql, names = _compiled(statement)
        try:
            cursor = self.driver.execute(sql, parameters or {})
            return _Result(cursor.fetchall(), cursor.rowcount, names)
        except sqlite3.Error as error:
            raise as_sqlalchemy(error) from error


class Taken:
    """A connection out of the pool, for one block.

    A transaction that is still open at the end is undone. `info` holds what is noted
    about the connection.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __enter__(self) -> Quick:
        try:
            self._fairy = self._engine.raw_connection()
        except sqlite3.Error as error:
            raise as_sqlalchemy(error) from error
        self.info: dict[str, Any] = self._fairy.info
        driver: Any = self._fairy.driver_connection
        return Quick(driver)

    def connection(self) -> Connection:
        """Return SQLAlchemy's connection over the same one."""
        connection = Connection(self._engine, connection=self._fairy)
        connection.begin()  # or it would undo the transaction after an error
        return connection

    def __exit__(self, _kind: object, error: object, _trace: object) -> None:
        self._fairy.close()
        if isinstance(error, sqlite3.Error):
            raise as_sqlalchemy(error) from error


def as_sqlalchemy(error: sqlite3.Error) -> Exception:
    """Return the exception of SQLAlchemy for it, which `database.py` translates."""
    translated: Exception = DBAPIError.instance(None, None, error, sqlite3.Error)
    return translated


@lru_cache(maxsize=256)
def _compiled(statement: Statement) -> tuple[str, tuple[str, ...]]:
    """Return the SQL with `:name` parameters, and the columns if they are known."""
    columns = statement.selected_columns if isinstance(statement, TextualSelect) else ()
    return str(statement), tuple(column.name for column in columns)
