"""SQLite connections for single reads: kept, and given up when they must be."""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack

import pytest
from sqlalchemy import text

from app.flows.errors import StorageFailed, StorageUnavailable
from app.stores.sql.readers import MOST_IDLE

ONE = text("SELECT 1")


def driver(database):
    with database.quick_read() as connection:
        assert connection.execute(ONE).scalar() == 1
        return connection.driver


def is_closed(connection):
    try:
        connection.execute("SELECT 1")
    except sqlite3.ProgrammingError:
        return True
    return False


def test_the_next_read_has_the_same_connection(sqlite_database):
    assert driver(sqlite_database) is driver(sqlite_database)


def test_reads_inside_each_other_have_connections_of_their_own(sqlite_database):
    with ExitStack() as stack:
        opened = [
            stack.enter_context(sqlite_database.quick_read()).driver
            for _ in range(MOST_IDLE + 1)
        ]

    assert len(set(opened)) == MOST_IDLE + 1
    assert [is_closed(one) for one in opened].count(True) == 1


def test_connection_whose_statement_failed_is_closed(sqlite_database):
    with (
        pytest.raises(StorageFailed),
        sqlite_database.quick_read() as connection,
    ):
        connection.execute(text("SELECT * FROM missing"))

    assert is_closed(connection.driver)


def test_connection_to_a_deleted_file_is_given_up(sqlite_database, tmp_path):
    former = driver(sqlite_database)
    for file in tmp_path.iterdir():
        file.unlink()

    with pytest.raises(StorageUnavailable, match="does not exist"):
        driver(sqlite_database)
    assert is_closed(former)


def test_connection_of_the_parent_process_is_neither_used_nor_closed(
    sqlite_database, monkeypatch
):
    former = driver(sqlite_database)
    monkeypatch.setattr(os, "getpid", lambda: -1)

    assert driver(sqlite_database) is not former
    assert not is_closed(former)


def test_closing_the_database_closes_the_kept_connections(sqlite_database):
    former = driver(sqlite_database)

    sqlite_database.close()

    assert is_closed(former)
    assert driver(sqlite_database) is not former
