"""Where the databases differ: the protocol of the modules `sqlite` and `postgresql`."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from sqlalchemy import URL, Connection, Engine

from .joint import Joint
from .quick import Executor


class Listener(Protocol):
    """A connection of its own that notices commits of other connections."""

    connection: Connection

    def wait(self) -> Collection[str] | None:
        """Wait a second at most; return the payloads that were notified.

        None: another connection has committed, and the database does not say what.
        """


class Dialect(Protocol):
    """What `Database` asks of SQLite and of PostgreSQL."""

    ONE_WRITER: bool
    NOW: str
    """SQL for the epoch seconds by which leases are judged."""

    def create(self, url: URL) -> Engine:
        """Make the engine with its pool."""

    def path_of(self, url: URL) -> Path | None:
        """Return the database's file; None when it is on a server."""

    def make(self, url: URL) -> None:
        """Make an empty database where the dialect can."""

    def reading(self, engine: Engine) -> Engine:
        """Return the engine whose statements each see the latest commits."""

    def begin(self, connection: Connection, *, durable: bool) -> None:
        """Begin a transaction that writes."""

    def quick_read(self, engine: Engine) -> AbstractContextManager[Executor]:
        """Open a connection as `reading` does, in the quickest way."""

    def quick_write(
        self, engine: Engine, *, durable: bool
    ) -> AbstractContextManager[Executor]:
        """Open a transaction as `begin` does, in the quickest way."""

    def joint(self, engine: Engine, *, durable: bool) -> AbstractContextManager[Joint]:
        """Open a transaction for several stores, committed at the end."""

    def lock_schema(self, connection: Connection) -> None:
        """Keep other processes from creating tables until the commit."""

    def migrating(self, engine: Engine) -> AbstractContextManager[Connection]:
        """Open a connection for a migration, which one process does at a time."""

    def snapshot(self, engine: Engine) -> AbstractContextManager[Connection]:
        """Open a connection whose statements all see the same moment."""

    def notify(self, connection: Connection, channel: str, payload: str) -> None:
        """Tell the listeners of a channel when this transaction commits."""

    def listen(self, connection: Connection, channel: str) -> Listener:
        """Begin to listen on a connection that is used for nothing else."""
