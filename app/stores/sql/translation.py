"""Translates exceptions of SQLAlchemy into ours, with database and remedy named.

The sentence is the same in the log, in `not ready` and below a command: which database,
what it said, what helps. A URL is shown without its user, password and options.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

from sqlalchemy import URL
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    ProgrammingError,
    SQLAlchemyError,
)

from app.flows.errors import StorageFailed, StorageUnavailable, TextNotStorable

from .quick import Executor
from .sqlite import kind_of

OWN_FAULTS = (DataError, IntegrityError, ProgrammingError)
"""What a wrong statement raises; everything else is an outage."""

ASK_DOCTOR: Final = "`doctor` looks why"
RESTORE: Final = "stop the service and `restore` the last backup"
SQLITE_REMEDIES: Final = {
    sqlite3.SQLITE_FULL: "free space on its disk",
    sqlite3.SQLITE_BUSY: "another program is writing to it: wait, or end that program",
    sqlite3.SQLITE_READONLY: ASK_DOCTOR,
    sqlite3.SQLITE_CANTOPEN: ASK_DOCTOR,
    # Also what a full disk is where no process has the log files open yet.
    sqlite3.SQLITE_IOERR: "see whether its disk is full (`df`), then look at `dmesg`",
    sqlite3.SQLITE_CORRUPT: RESTORE,
    sqlite3.SQLITE_NOTADB: RESTORE,
}
"""What helps, by the kind of error; docs/health.md has the same at more length."""

POSTGRESQL_REMEDIES: Final = {
    "53100": "free space on the server's disk",  # disk_full
    "53300": "raise max_connections of the server",  # too_many_connections
    "25006": "let DATABASE_URL name the primary server",  # read_only_sql_transaction
}
"""What helps, by SQLSTATE."""
UNREACHABLE: Final = "see that the server runs and that DATABASE_URL is right"
"""What helps where a server gave no SQLSTATE: nothing answered, or it let no one in."""


def name_of(url: URL) -> str:
    """Return the database's file, or the server's URL without what may be secret."""
    if url.get_backend_name() == "sqlite":
        return url.database or ""
    public = URL.create(
        url.get_backend_name(), host=url.host, port=url.port, database=url.database
    )
    return public.render_as_string()


class Translated:
    """A block with translation; a generator would take three times as long."""

    __slots__ = ("_is_write", "_name")

    def __init__(self, name: str, *, is_write: bool = False) -> None:
        """`is_write` is for a block that is one transaction, undone when it fails."""
        self._name = name
        self._is_write = is_write

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: object, _trace: object) -> None:
        if isinstance(error, SQLAlchemyError):
            raise _own(error, self._name, is_write=self._is_write) from error


class TranslatedReads:
    """A block with an executor for reads, with translation."""

    __slots__ = ("_name", "_opened")

    def __init__(self, name: str, opened: AbstractContextManager[Executor]) -> None:
        self._name = name
        self._opened = opened

    def __enter__(self) -> Executor:
        try:
            return self._opened.__enter__()
        except SQLAlchemyError as error:
            raise _own(error, self._name) from error

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            self._opened.__exit__(kind, error, trace)
        except SQLAlchemyError as failed:
            raise _own(failed, self._name) from failed
        if isinstance(error, SQLAlchemyError):
            raise _own(error, self._name) from error


def _own(error: SQLAlchemyError, name: str, *, is_write: bool = False) -> Exception:
    """Return the exception of ours for one of SQLAlchemy's."""
    if isinstance(error, DataError) and _has_nul(error.params):
        return TextNotStorable("a value has a NUL")
    if isinstance(error, OWN_FAULTS):
        return StorageFailed(f"{type(_cause(error)).__name__}: {_first_line(error)}")
    outage = StorageUnavailable(_sentence(error, name))
    if is_write:
        outage.rolled_back = not _is_lost(error)
    return outage


def _has_nul(value: object) -> bool:
    """Tell whether parameters of a statement have a NUL, lists among them too."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, Mapping):
        return any(map(_has_nul, value.values()))
    return isinstance(value, list | tuple | set) and any(map(_has_nul, value))


def _sentence(error: SQLAlchemyError, name: str) -> str:
    said = _first_line(error)
    if name not in said:  # a missing file has a sentence of its own
        said = f"{name}: {said}"
    remedy = _remedy(_cause(error))
    return f"{said}; {remedy}" if remedy else said


def _remedy(cause: BaseException) -> str | None:
    if isinstance(cause, sqlite3.Error):
        return SQLITE_REMEDIES.get(kind_of(cause))
    if isinstance(cause, SQLAlchemyError):  # the pool's, of no server
        return None
    sqlstate = getattr(cause, "sqlstate", None)
    return POSTGRESQL_REMEDIES.get(sqlstate) if sqlstate else UNREACHABLE


def _is_lost(error: SQLAlchemyError) -> bool:
    """Tell whether the connection broke, perhaps after the server had committed."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _first_line(error: SQLAlchemyError) -> str:
    # The first line only: PostgreSQL goes on with the values of the row.
    cause = _cause(error)
    return str(cause).partition("\n")[0] or type(cause).__name__


def _cause(error: SQLAlchemyError) -> BaseException:
    """Return the driver's exception."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    return cause or error
