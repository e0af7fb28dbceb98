"""SQLite connections for what is asked often, beside SQLAlchemy's pool.

Taking a connection out of the pool and giving it back costs as much as a statement.
`Reading` is for reads of one statement, such as services have with every request of
theirs, `Writing` for the short transactions of a sign-in.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Engine

from .quick import Quick, as_sqlalchemy

MOST_IDLE: Final = 5
"""Connections that are kept open; a read uses one for less than a millisecond."""

Mark = tuple[int, object]
"""Process and file of a connection: neither may be another one."""

Kept = tuple[Mark, Any, dict[str, Any]]
"""A connection with its mark, and what is noted about it."""


class Readers:
    """Connections that the pool has opened and given up; those that write, too."""

    def __init__(self, engine: Engine, identity: Callable[[], object]) -> None:
        """`identity` names the file that is at the database's path now."""
        self._engine = engine
        self._identity = identity
        self._idle: list[Kept] = []
        # Never closed here: closing would let go of locks that the parent uses.
        self._inherited: list[object] = []

    def take(self) -> Kept:
        """Return a connection of this process to the file that is there now."""
        mark = (os.getpid(), self._identity())
        while self._idle:
            reader = self._idle.pop()
            if reader[0] == mark:
                return reader
            self.drop(reader)
        fairy = self._engine.raw_connection()
        driver = fairy.driver_connection
        fairy.detach()
        return mark, driver, {}

    def give_back(self, reader: Kept) -> None:
        """Keep a connection for the next use."""
        if len(self._idle) < MOST_IDLE:
            self._idle.append(reader)
        else:
            self.drop(reader)

    def close(self, _engine: Engine) -> None:
        """Close the connections that are kept."""
        while self._idle:
            self.drop(self._idle.pop())

    def drop(self, reader: Kept) -> None:
        """Close a connection; one of the parent process is only not used again."""
        (process, _), driver, _ = reader
        if process == os.getpid():
            driver.close()
        else:
            self._inherited.append(driver)


class Reading:
    """A connection for one block, whose statements stand alone."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    def __enter__(self) -> Quick:
        try:
            self._reader = self._readers.take()
        except sqlite3.Error as error:
            raise as_sqlalchemy(error) from error
        return Quick(self._reader[1])

    def __exit__(self, _kind: object, error: object, _trace: object) -> None:
        if error is None:
            self._readers.give_back(self._reader)
            return
        self._readers.drop(self._reader)
        if isinstance(error, sqlite3.Error):
            raise as_sqlalchemy(error) from error


class Writing:
    """A transaction for one block: committed at its end, undone after an error."""

    def __init__(
        self, writers: Readers, begin: Callable[[Any, dict[str, Any]], None]
    ) -> None:
        """`begin` opens the transaction, given a connection and what is noted of it."""
        self._writers = writers
        self._begin = begin

    def __enter__(self) -> Quick:
        try:
            self._writer = self._writers.take()
        except sqlite3.Error as error:
            raise as_sqlalchemy(error) from error
        _, driver, noted = self._writer
        try:
            self._begin(driver, noted)
        except sqlite3.Error as error:
            self._writers.drop(self._writer)
            raise as_sqlalchemy(error) from error
        return Quick(driver)

    def __exit__(self, _kind: object, error: object, _trace: object) -> None:
        driver = self._writer[1]
        try:
            if error is None:
                driver.commit()
            else:
                driver.rollback()
        except sqlite3.Error as failed:
            self._writers.drop(self._writer)  # which undoes the transaction
            raise as_sqlalchemy(failed) from failed
        self._writers.give_back(self._writer)
        if isinstance(error, sqlite3.Error):
            raise as_sqlalchemy(error) from error
