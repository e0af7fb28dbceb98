"""Health of the database: a write that is committed, and space on its disk."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace

import pytest

from app.flows.errors import StorageFailed, StorageUnavailable
from app.stores.sql.health import DatabaseHealth, require_space
from tests.fakes.clock import FakeClock


@pytest.fixture
def health(database):
    return DatabaseHealth(database=database, clock=FakeClock())


def disk(*, free, blocks=1_000_000, inodes=10):
    """A file system with blocks of 4 KB."""
    return lambda _path: SimpleNamespace(
        f_bavail=free, f_frsize=4096, f_blocks=blocks, f_files=100, f_favail=inodes
    )


def test_check_write_commits_one_row_however_often_it_runs(health, database):
    health.check_write()
    health.check_write()

    with database.read() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM cache_entries")
        assert count.scalar() == 1


def test_check_write_without_its_table_fails(health, database):
    with database.write() as connection:
        connection.exec_driver_sql("DROP TABLE cache_entries")

    with pytest.raises(StorageFailed, match="cache_entries"):
        health.check_write()


def test_check_space_passes_with_200_mb_and_2_percent():
    require_space("/", disk(free=50_000))


@pytest.mark.parametrize(
    ("statvfs", "words"),
    [
        (disk(free=48_000), "197 MB"),
        (disk(free=60_000, blocks=4_000_000), r"1\.5%"),
        (disk(free=50_000, inodes=0), "no free inode"),
    ],
)
def test_check_space_names_what_is_short(statvfs, words):
    with pytest.raises(StorageUnavailable, match=words):
        require_space("/", statvfs)


@pytest.mark.process
def test_check_space_of_a_server_passes(postgres_database):
    health = DatabaseHealth(
        database=postgres_database, clock=FakeClock(), statvfs=disk(free=0)
    )

    health.check_space()


def test_quick_check_of_a_sound_database_finds_nothing(health):
    assert health.quick_check() is None


def test_quick_check_of_a_damaged_file_finds_it(sqlite_database, tmp_path):
    with sqlite_database.read() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    sqlite_database.close()
    with (tmp_path / "latchkey.db").open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(30 * 4096))
    health = DatabaseHealth(database=sqlite_database, clock=FakeClock())

    try:
        damage = health.quick_check()
    except StorageUnavailable as error:
        damage = str(error)

    assert damage


def test_durability_of_sqlite_is_good(sqlite_database):
    health = DatabaseHealth(database=sqlite_database, clock=FakeClock())

    assert health.durability() == []


@pytest.mark.process
def test_durability_of_a_server_without_fsync_is_named(postgres_database):
    """The server of the tests waits for no disk."""
    health = DatabaseHealth(database=postgres_database, clock=FakeClock())

    assert health.durability() == [
        "SHOW fsync is off instead of on",
        "SHOW full_page_writes is off instead of on",
    ]


@pytest.mark.process
def test_clock_difference_is_that_to_the_clock_of_the_server(postgres_database):
    health = DatabaseHealth(
        database=postgres_database, clock=lambda: time.time() + 7200
    )

    assert 7190 < health.clock_difference() < 7210


def test_clock_difference_to_a_file_is_none(sqlite_database):
    health = DatabaseHealth(database=sqlite_database, clock=FakeClock())

    assert health.clock_difference() == 0
