"""Back up the database into a folder, and restore an empty one from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.flows.operator import Operator
from app.flows.ports import Audit

from .ports import Backups, NewBackup, Progress, Row, Storage, Tables
from .transfer import in_batches, transfer

RUNS: Final = "runs"
"""The table in which the end of a backup is noted."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds, and the older ones that were deleted after it."""

    path: Path
    schema: str
    rows: int
    deleted: Sequence[Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackUp:
    """Write all tables, as they are at one moment, into a new folder."""

    storage: Storage
    backups: Backups
    audit: Audit
    clock: Callable[[], float]
    release: str
    note_end: Callable[[float], None]
    """Notes when a backup has ended, for `doctor`."""
    keep: int
    """The number of backups that stay in a directory (BACKUP_KEEP)."""

    def run(self, directory: Path, *, operator: Operator, progress: Progress) -> Backup:
        """Return what was written; then the oldest backups are deleted.

        Raises:
            MoveRefused: no tables, no directory, or another backup is under way.
            StorageFailed: the database does not answer.
            OSError: the folder cannot be written.
        """
        with (
            self.backups.create(directory, now=self.clock()) as new,
            self.storage.snapshot() as tables,
        ):
            rows = sum(
                _write(new, tables, name, progress=progress) for name in tables.names
            )
            path = new.finish(schema=tables.schema, release=self.release)
        deleted = self.backups.prune(directory, self.keep)
        detail = {"path": str(path), "rows": rows, **operator.as_detail()}
        self.audit.record("backup_made", now=self.clock(), detail=detail)
        if RUNS in tables.names:  # release 0.1.0 has no such table
            self.note_end(self.clock())
        return Backup(path, tables.schema, rows, deleted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """Fill an empty database from a backup."""

    storage: Storage
    backups: Backups
    audit: Audit
    clock: Callable[[], float]

    def run(
        self,
        path: Path,
        *,
        operator: Operator,
        progress: Progress,
        report: Callable[[str], None],
    ) -> Backup:
        """Return what was restored; an older schema is migrated, told to `report`.

        Raises:
            MoveRefused: not a whole backup, a database that is not empty, an unknown
                release, or secrets that our keys do not decrypt. Nothing is kept.
            StorageFailed: the database does not answer.
        """
        backup = self.backups.open(path)
        with self.storage.fill(backup.schema) as tables:
            rows = transfer(backup, tables, progress)
        self.storage.upgrade_schema(report)
        detail = {"path": str(path), "rows": rows, **operator.as_detail()}
        self.audit.record("backup_restored", now=self.clock(), detail=detail)
        return Backup(path, backup.schema, rows, ())


def _write(new: NewBackup, tables: Tables, name: str, *, progress: Progress) -> int:
    with progress(name, tables.count(name)) as done:
        return new.write(name, _counted(in_batches(tables.rows(name)), done))


def _counted(
    batches: Iterable[list[Row]], done: Callable[[int], None]
) -> Iterator[list[Row]]:
    for batch in batches:
        yield batch
        done(len(batch))
