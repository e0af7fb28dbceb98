"""Health of the database: whether it takes a write, and whether its disk has space."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text

from app.flows.errors import StorageUnavailable
from app.stores.sql.database import Database

LEAST_BYTES: Final = 200_000_000
"""Bytes that have to be free: a write-ahead log and a migration need room."""

LEAST_SHARE: Final = 0.02
"""The part of the file system that has to be free."""

PRIMARY_CODE: Final = 0xFF
"""The bits of an extended result code of SQLite that name the kind of error."""

KEEP: Final = 3_600
"""Seconds until the sweep deletes the row of the write check."""

SQLITE: Final = {"PRAGMA journal_mode": ("wal",), "PRAGMA synchronous": ("2", "3")}
POSTGRESQL: Final = {
    "SHOW fsync": ("on",),
    "SHOW full_page_writes": ("on",),
    "SHOW synchronous_commit": ("on", "local", "remote_write", "remote_apply"),
}
"""Settings of the database that keep what was committed, and their good values."""

POSTGRESQL_CLOCK: Final = "SELECT extract(epoch FROM clock_timestamp())"

MARK = text("""
    INSERT INTO cache_entries (key, value, expires_at)
    VALUES ('readiness', '', :expires_at)
    ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseHealth:
    """The checks of the database behind the stores."""

    database: Database
    clock: Callable[[], float]
    statvfs: Callable[[Path], Any] = field(default=os.statvfs)

    def check_write(self) -> None:
        """Write a row and commit it. Raises StorageFailed when that fails."""
        with self.database.write(durable=False) as connection:
            connection.execute(MARK, {"expires_at": int(self.clock()) + KEEP})

    def quick_check(self) -> str | None:
        """Return what is damaged in a database file, or None.

        Raises:
            StorageUnavailable: it is missing, or cannot be opened or read.
        """
        if self.database.path is None:
            return None  # the server checks its pages itself
        try:
            with self.database.read() as connection:
                found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        except StorageUnavailable as error:
            if _is_damage(error):
                return str(error)
            raise
        return None if found == "ok" else str(found)

    def durability(self) -> Sequence[str]:
        """Return the settings with which a power cut loses what was committed."""
        wanted = SQLITE if self.database.path is not None else POSTGRESQL
        with self.database.write() as connection:
            found = {
                statement: str(connection.exec_driver_sql(statement).scalar())
                for statement in wanted
            }
        return [
            f"{statement} is {found[statement]} instead of {' or '.join(values)}"
            for statement, values in wanted.items()
            if found[statement] not in values
        ]

    def clock_difference(self) -> float:
        """Return by how many seconds our clock is ahead of the database's."""
        if self.database.path is not None:
            return 0.0
        with self.database.read() as connection:
            theirs = connection.exec_driver_sql(POSTGRESQL_CLOCK)
            return self.clock() - float(theirs.scalar_one())

    def check_space(self) -> None:
        """Raise StorageUnavailable when the disk of a database file is nearly full.

        No error for PostgreSQL, whose disk is another machine's.
        """
        path = self.database.path
        if path is not None:
            require_space(path.parent, self.statvfs)


def _is_damage(error: StorageUnavailable) -> bool:
    """Tell whether SQLite says that the file is no database, or a damaged one."""
    code = getattr(getattr(error.__cause__, "orig", None), "sqlite_errorcode", 0)
    return code & PRIMARY_CODE in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def require_space(directory: Path, statvfs: Callable[[Path], Any] = os.statvfs) -> None:
    """Raise StorageUnavailable unless LEAST_BYTES and LEAST_SHARE are free."""
    try:
        status = statvfs(directory)
    except OSError as error:
        raise StorageUnavailable(f"{directory}: {error.strerror}") from error
    free = status.f_bavail * status.f_frsize
    share = status.f_bavail / status.f_blocks if status.f_blocks else 1.0
    if free < LEAST_BYTES or share < LEAST_SHARE:
        raise StorageUnavailable(
            f"{free / 1e6:.0f} MB ({share:.1%}) free on {directory}; "
            f"{LEAST_BYTES / 1e6:.0f} MB and {LEAST_SHARE:.0%} are needed"
        )
    if status.f_files and not status.f_favail:
        raise StorageUnavailable(f"no free inode on {directory}")
