"""Rate-limit counters that all processes of a host share: a SQLite file of their own.

Apart from the database, so that counting waits for no other write and syncs nothing to
disk. One statement decides and counts: a sliding window of two counters a key. A lost
or broken file loses counts and no sign-in.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sqlalchemy import make_url

from app.atproto.crypto.encoding import sha256_hex
from app.stores.rates.sliding_window import GET, HIT, Counted, Hit
from app.stores.sql.sqlite import begin_log
from app.stores.sql.sqlite_file import make_private

MOST_KEYS: Final = 100_000
"""Counters that are kept, some 10 MB; above it those that end first are deleted."""

CLEAN_EVERY: Final = 1_000
"""Calls of one process between two deletions of ended counters."""

LOCK_TIMEOUT: Final = 0.5
"""Seconds of waiting for another process's write, which takes microseconds."""

TABLE: Final = "counters"
CREATE: Final = """
    CREATE TABLE IF NOT EXISTS counters (
        key        TEXT    PRIMARY KEY,
        period     INTEGER NOT NULL,
        this       INTEGER NOT NULL,
        previous   INTEGER NOT NULL,
        expires_at INTEGER NOT NULL
    ) WITHOUT ROWID
"""
COUNT: Final = HIT.format(table=TABLE)
LOOK: Final = GET.format(table=TABLE)
DELETE_ENDED: Final = "DELETE FROM counters WHERE expires_at <= ?"
DELETE_FIRST: Final = """
    DELETE FROM counters WHERE key IN (
        SELECT key FROM counters ORDER BY expires_at
        LIMIT max(0, (SELECT count(*) FROM counters) - ?))
"""


def counters_path(database_url: str) -> Path:
    """Return the file of this host's counters: beside SQLite's, or a temporary one."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        return Path(f"{url.database}.limits")
    name = sha256_hex(database_url)[:16]
    return Path(tempfile.gettempdir(), f"latchkey-{os.getuid()}", f"{name}.limits")


class HostCounters:
    """Counters in a file; every process opens it at its first call."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._opened: tuple[int, sqlite3.Connection] | None = None
        self._abandoned: list[object] = []
        self._calls = 0

    def hit(self, *counted: Counted) -> float | None:
        """Count one call under each name, in one transaction.

        None, or the seconds to wait for the first name whose limit is reached. Raises
        `sqlite3.Error` or `OSError` when the file cannot be used.
        """
        now = self._clock()
        with self._lock:
            connection = self._connection()
            self._clean(connection, now)
            if len(counted) == 1:  # a statement is a transaction
                return _hit(connection, Hit(*counted[0], now))
            connection.execute("BEGIN IMMEDIATE")
            with connection:  # which commits, or undoes it after an error
                waits = (_hit(connection, Hit(*one, now)) for one in counted)
                return next((wait for wait in waits if wait is not None), None)

    def _clean(self, connection: sqlite3.Connection, now: float) -> None:
        self._calls += 1
        if self._calls % CLEAN_EVERY == 0:
            connection.execute(DELETE_ENDED, (now,))
            connection.execute(DELETE_FIRST, (MOST_KEYS,))

    def _connection(self) -> sqlite3.Connection:
        """Return this process's connection: none may cross a fork."""
        if self._opened is not None and self._opened[0] == os.getpid():
            return self._opened[1]
        if self._opened is not None:
            # Not closed here: that would release locks of the parent.
            self._abandoned.append(self._opened)
            self._opened = None
        _make_private_directory(self._path.parent)
        make_private(self._path)
        connection = sqlite3.connect(
            self._path,
            timeout=LOCK_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
        )
        begin_log(connection)
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(CREATE)
        self._opened = (os.getpid(), connection)
        return connection


def _hit(connection: sqlite3.Connection, hit: Hit) -> float | None:
    values = hit.values
    if connection.execute(COUNT, values).rowcount:
        return None
    row = connection.execute(LOOK, values).fetchone()
    return hit.wait(row or (0, 0, 0))


def _make_private_directory(path: Path) -> None:
    """Make the directory; one of the temporary directory has to be ours alone."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.lstat()
    is_temporary = path.parent == Path(tempfile.gettempdir())
    if is_temporary and (status.st_uid != os.getuid() or status.st_mode & 0o077):
        raise PermissionError(f"{path} is not private")
