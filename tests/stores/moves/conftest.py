"""A database with a secret in every table that has some, and targets to move it to."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from app.flows.operator import Operator
from app.flows.storage.backup import BackUp, Restore
from app.stores.moves.backup_folders import BackupFolders
from app.stores.moves.tables import SqlStorage
from app.stores.people.audit import SqlAudit
from app.stores.runs import SqlRuns
from app.stores.sql.database import Database, open_database
from tests.stores.sql.test_dump import fill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OPERATOR = Operator("root", "a drill")
CACHE = text("INSERT INTO cache_entries VALUES (:key, 'täg', 9000000000000)")


@contextmanager
def silent(_label: str, _total: int) -> Iterator[Callable[[int], None]]:
    """Show no progress."""
    yield lambda _rows: None


@pytest.fixture
def filled(database, cipher, clock) -> Database:
    """A database of this release with rows; one table has more than one batch."""
    fill(database, cipher, clock)
    with database.write() as connection:
        connection.execute(CACHE, [{"key": str(number)} for number in range(1203)])
    return database


@pytest.fixture
def directory(tmp_path):
    """Where backups are made."""
    path = tmp_path / "backups"
    path.mkdir(0o700)
    return path


@pytest.fixture
def empty(tmp_path) -> Iterator[Database]:
    """A database without tables."""
    (tmp_path / "other").mkdir()
    opened = open_database(f"sqlite:///{tmp_path}/other/latchkey.db")
    yield opened
    opened.close()


@pytest.fixture
def back_up(cipher, clock):
    """Back up a database into a directory."""

    def run(database: Database, directory, *, keep: int = 7):
        work = BackUp(
            storage=SqlStorage(database, cipher),
            backups=BackupFolders(),
            audit=SqlAudit(database),
            clock=clock,
            release="0.2.0",
            note_end=partial(SqlRuns(database).note, "backup"),
            keep=keep,
        )
        return work.run(directory, operator=OPERATOR, progress=silent)

    return run


@pytest.fixture
def restore(cipher, clock):
    """Restore a database from a folder."""

    def run(database: Database, path, *, under=cipher):
        work = Restore(
            storage=SqlStorage(database, under),
            backups=BackupFolders(),
            audit=SqlAudit(database),
            clock=clock,
        )
        return work.run(
            path, operator=OPERATOR, progress=silent, report=lambda _step: None
        )

    return run
