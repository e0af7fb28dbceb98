"""A transaction that several stores share (`Database.together`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from sqlalchemy import Connection

from .quick import Executor


class Joint:
    """One transaction for `read` and `write`, and for `quick_read` and `quick_write`.

    On SQLite SQLAlchemy's connection is made when a store asks for it: it takes as long
    as several statements, and a sign-in to an app needs none.
    """

    def __init__(self, quick: Executor, connect: Callable[[], Connection]) -> None:
        self.quick = quick
        self._connect = connect

    @cached_property
    def connection(self) -> Connection:
        """SQLAlchemy's connection, in the same transaction."""
        return self._connect()
