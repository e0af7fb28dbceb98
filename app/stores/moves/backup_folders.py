"""Backups in folders: a gzipped file of JSON lines for each table, and a manifest.

A folder has its name (`latchkey-20261130T031500Z`) once it is complete and on the disk;
until then the name ends with `.partial`. Folders have mode 0700 and files 0600. They
hold what the database holds: secrets encrypted under SECRET_KEY, which is not in them.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from app.flows.storage.errors import MoveRefused
from app.flows.storage.ports import Backups, Row

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
LOCK: Final = ".latchkey-backup.lock"
PARTIAL: Final = ".partial"
NAME: Final = "latchkey-%Y%m%dT%H%M%SZ"
PATTERN: Final = "latchkey-*Z"
OWNER_ONLY: Final = 0o600
OWNER_FOLDER: Final = 0o700
SPEED: Final = 3
"""gzip's level: half the time of its default, nearly the same size."""


class BackupFolder:
    """A backup that was opened: what its manifest says, and its rows."""

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.schema: str = manifest["schema"]
        self.made_at: str = manifest["made_at"]
        self._path = path
        self._tables: dict[str, dict[str, Any]] = manifest["tables"]

    @property
    def names(self) -> Sequence[str]:
        """The names of the tables."""
        return list(self._tables)

    def count(self, table: str) -> int:
        """Return the number of rows."""
        return int(self._tables[table]["rows"])

    def rows(self, table: str) -> Iterator[Row]:
        """Yield the rows."""
        with gzip.open(self._path / _file_of(table), "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)

    def require_whole(self) -> None:
        """Raise MoveRefused unless every file is as it was written."""
        for table, facts in self._tables.items():
            file = self._path / _file_of(table)
            if not file.is_file() or _checksum(file) != facts["sha256"]:
                raise MoveRefused(f"{file} is missing or was changed")


class NewBackupFolder:
    """A backup that is being written."""

    def __init__(self, partial: Path, *, made_at: datetime) -> None:
        self._partial = partial
        self._made_at = made_at
        self._tables: dict[str, dict[str, Any]] = {}

    def write(self, table: str, batches: Iterable[Sequence[Row]]) -> int:
        """Write the rows of a table; return how many."""
        file, rows = self._partial / _file_of(table), 0
        with _private(file) as raw, gzip.GzipFile("", "wb", SPEED, raw, 0) as lines:
            for batch in batches:
                lines.write(b"".join(json.dumps(row).encode() + b"\n" for row in batch))
                rows += len(batch)
        self._tables[table] = {"rows": rows, "sha256": _checksum(file)}
        return rows

    def finish(self, *, schema: str, release: str) -> Path:
        """Write the manifest and give the backup its name; return its path."""
        manifest = {
            "format": FORMAT,
            "release": release,
            "schema": schema,
            "made_at": self._made_at.isoformat(timespec="seconds"),
            "tables": self._tables,
        }
        with _private(self._partial / MANIFEST) as file:
            file.write(json.dumps(manifest, indent=1).encode())
        _sync_folder(self._partial)
        path = self._partial.with_suffix("")
        self._partial.rename(path)
        _sync_folder(path.parent)
        return path


class BackupFolders(Backups):
    """The backups of a directory."""

    @contextmanager
    def create(self, directory: Path, *, now: float) -> Iterator[NewBackupFolder]:
        """Begin a backup; what is not finished at the end of the block is deleted."""
        if not directory.is_dir():
            raise MoveRefused(f"{directory} is no directory; create it with mode 0700")
        made_at = datetime.fromtimestamp(int(now), UTC)
        partial = directory / f"{made_at.strftime(NAME)}{PARTIAL}"
        with _alone(directory):
            if partial.with_suffix("").exists():
                raise MoveRefused(f"{partial.with_suffix('')} exists already")
            _delete(directory.glob(f"{PATTERN}{PARTIAL}"))
            partial.mkdir(OWNER_FOLDER)
            try:
                yield NewBackupFolder(partial, made_at=made_at)
            finally:
                _delete([partial] if partial.exists() else [])

    def prune(self, directory: Path, keep: int) -> Sequence[Path]:
        """Delete the oldest backups but `keep`; other folders are left alone."""
        complete = sorted(
            path for path in directory.glob(PATTERN) if (path / MANIFEST).is_file()
        )
        oldest = complete[: max(len(complete) - keep, 0)]
        _delete(oldest)
        return oldest

    def open(self, path: Path) -> BackupFolder:
        if not (path / MANIFEST).is_file():
            inside = sorted(one.name for one in path.glob(PATTERN))
            hint = f"; it holds backups, the newest is {inside[-1]}" if inside else ""
            raise MoveRefused(f"{path} is no backup: it has no {MANIFEST}{hint}")
        try:
            manifest = json.loads((path / MANIFEST).read_bytes())
            if manifest["format"] != FORMAT:
                raise MoveRefused(f"{path} has a format that this release cannot read")
            backup = BackupFolder(path, manifest)
            backup.require_whole()
        except (ValueError, KeyError, TypeError) as error:
            raise MoveRefused(f"{path / MANIFEST} is damaged") from error
        return backup


def _file_of(table: str) -> str:
    return f"{table}.jsonl.gz"


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    try:
        with FileLock(directory / LOCK, timeout=0, mode=OWNER_ONLY):
            yield
    except Timeout as error:
        raise MoveRefused(f"another backup into {directory} is under way") from error


@contextmanager
def _private(path: Path) -> Iterator[Any]:
    """Open a new file that only its owner reads, on the disk when it is closed."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    with os.fdopen(os.open(path, flags, OWNER_ONLY), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _delete(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder)
