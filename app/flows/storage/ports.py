"""What backup, restore and copy work with: the tables of a database, and folders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

Row = Mapping[str, Any]
"""A row by column: text, whole numbers and None."""

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""From a label and a number of rows to the call that counts finished rows."""


class Tables(Protocol):
    """The tables of a database or a backup, and the release whose schema they have."""

    @property
    def schema(self) -> str:
        """The release whose schema the tables have."""

    @property
    def names(self) -> Sequence[str]:
        """The names of the tables."""

    def count(self, table: str) -> int:
        """Return the number of rows."""

    def rows(self, table: str) -> Iterator[Row]:
        """Yield the rows, in any order."""


class NewTables(Protocol):
    """Tables of a database that was empty; all rows are committed together."""

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Insert rows, whose secrets our keys must decrypt.

        Raises:
            MoveRefused: a secret of theirs does not decrypt.
        """

    def rows(self, table: str) -> Iterator[Row]:
        """Yield the rows, in any order."""


class Storage(Protocol):
    """A database as a whole."""

    def snapshot(self) -> AbstractContextManager[Tables]:
        """Read all tables as they are at one moment, while others write.

        Raises:
            MoveRefused: the database has no tables.
        """

    def fill(self, schema: str) -> AbstractContextManager[NewTables]:
        """Create the tables of a release; nothing remains if the block fails.

        Raises:
            MoveRefused: the database is not empty, or the release is unknown.
        """

    def upgrade_schema(self, report: Callable[[str], None]) -> tuple[str | None, str]:
        """Migrate to the schema of this release; return the versions."""


class NewBackup(Protocol):
    """A backup that is being written; it has its name when it is complete."""

    def write(self, table: str, batches: Iterable[Sequence[Row]]) -> int:
        """Write the rows of a table; return how many."""

    def finish(self, *, schema: str, release: str) -> Path:
        """Write the manifest and give the backup its name; return its path."""


class Backups(Protocol):
    """Backups, each a folder of files that only their owner reads."""

    def create(
        self, directory: Path, *, now: float
    ) -> AbstractContextManager[NewBackup]:
        """Begin a backup in a directory.

        Raises:
            MoveRefused: the directory is missing, or another backup is under way.
        """

    def prune(self, directory: Path, keep: int) -> Sequence[Path]:
        """Delete the oldest backups of a directory but `keep`; return their paths."""

    def open(self, path: Path) -> Tables:
        """Open a backup after a look at every checksum.

        Raises:
            MoveRefused: not a backup, or a file of it is missing or was changed.
        """
