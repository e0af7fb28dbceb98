"""The file of a SQLite database: private, not made by accident, and not exchanged."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DisconnectionError

from app.stores.errors import DatabaseURLInvalid

log = logging.getLogger(__name__)

OWNER_ONLY = 0o600

DEVELOPMENT = Path("var")
"""The directory of loopback development, made when it is missing."""

MISSING = (
    "does not exist: mount its volume or restore a backup; for a new platform run "
    "`flask --app wsgi init`"
)
NOT_USABLE = "no file that we may read and write"

_warned_about: set[Path] = set()
"""Directories that this process has warned about: each is opened several times."""


def check_path(path: Path) -> None:
    """Refuse a path that cannot be used, and warn about a directory open to all.

    Only the directory of development is made. A missing one may be a volume that is
    not mounted: a directory in its place would start an empty platform.
    """
    directory = path.parent
    if directory == DEVELOPMENT:
        directory.mkdir(mode=0o700, exist_ok=True)
    if not directory.is_dir():
        raise DatabaseURLInvalid(
            f"the directory {directory} does not exist; mount its volume, or make it"
        )
    if path.exists() and not path.is_file():
        raise DatabaseURLInvalid(f"{path} is no file")
    if directory.stat().st_mode & stat.S_IWOTH and directory not in _warned_about:
        _warned_about.add(directory)
        log.warning(
            "every user of this machine can write to %s, where the database is: "
            "chmod o-w it",
            directory,
        )


def make_private(path: Path) -> None:
    """Make the file, private before SQLite opens it; its log files take over the mode.

    One that is there is not opened: closing it would let go of the locks of all SQLite
    connections of this process, and another process could then delete the log that they
    write to.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, OWNER_ONLY))
    if not _is_usable(path):
        raise OSError(errno.EACCES, NOT_USABLE)


def _is_usable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.R_OK | os.W_OK)


class SameFile:
    """Keeps connections to the file that is at the path now.

    A deleted file can still be read and written by those that have it open, and a
    restart loses what they wrote.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._name = str(path)

    def require(self, *_: object) -> None:
        """Refuse to connect when there is no file; SQLite would make an empty one."""
        if self.identity() is None:
            raise sqlite3.OperationalError(f"{self._path} {MISSING}")

    def remember(self, _connection: object, record: Any) -> None:
        """Note which file a new connection has open."""
        record.info["file"] = self.identity()

    def check(self, _connection: object, record: Any, _proxy: object) -> None:
        """Refuse a connection to a deleted file; the pool opens a new one."""
        if record.info.get("file") != self.identity():
            raise DisconnectionError(f"{self._path} was deleted or replaced")

    def identity(self) -> tuple[int, int] | None:
        """Return what distinguishes the file that is there now; None without one."""
        try:
            status = os.stat(self._name)  # noqa: PTH116 - for every read: twice as quick
        except OSError:
            return None
        return status.st_dev, status.st_ino


class ForkGuard:
    """Keeps connections from crossing a fork, which SQLite forbids."""

    def __init__(self) -> None:
        # Never closed here, not even by the garbage collector: closing would let go
        # of locks and log files that the parent still uses.
        self._inherited: list[object] = []

    def check(self, connection: object, record: Any, proxy: Any) -> None:
        """Refuse a connection that another process opened; the pool opens a new one."""
        owner = record.info.setdefault("process", os.getpid())
        if owner != os.getpid():
            self._inherited.append(connection)
            record.dbapi_connection = proxy.dbapi_connection = None
            raise DisconnectionError(f"opened by process {owner}")
