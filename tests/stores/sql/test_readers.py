"""SQLite connections for short blocks: kept, and given up when they must be."""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack, suppress

import pytest
from sqlalchemy import text

from app.flows.errors import StorageFailed, StorageUnavailable
from app.stores.sql.readers import MOST_IDLE

ONE = text("SELECT 1")


BOTH = pytest.mark.parametrize("block", ["quick_read", "quick_write"])


def driver(database, block="quick_read"):
    with getattr(database, block)() as connection:
        assert connection.execute(ONE).scalar() == 1
        return connection.driver


def is_closed(connection):
    try:
        connection.execute("SELECT 1")
    except sqlite3.ProgrammingError:
        return True
    return False


@BOTH
def test_the_next_block_has_the_same_connection(sqlite_database, block):
    assert driver(sqlite_database, block) is driver(sqlite_database, block)


def test_a_write_that_failed_is_undone_and_its_connection_serves_again(
    sqlite_database,
):
    create = text("CREATE TABLE undone (a)")
    with suppress(ZeroDivisionError), sqlite_database.quick_write() as failing:
        failing.execute(create)
        raise ZeroDivisionError

    with sqlite_database.quick_write() as again:
        assert again.driver is failing.driver
        again.execute(create)  # it is not there


def test_a_write_while_another_process_writes_raises_and_closes_its_connection(
    sqlite_database,
):
    former = driver(sqlite_database, "quick_write")
    former.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(sqlite_database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StorageUnavailable):
        driver(sqlite_database, "quick_write")
    other.close()

    assert is_closed(former)
    driver(sqlite_database, "quick_write")


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


@BOTH
def test_connection_to_a_deleted_file_is_given_up(sqlite_database, tmp_path, block):
    former = driver(sqlite_database, block)
    for file in tmp_path.iterdir():
        file.unlink()

    with pytest.raises(StorageUnavailable, match="does not exist"):
        driver(sqlite_database, block)
    assert is_closed(former)


@BOTH
def test_connection_of_the_parent_process_is_neither_used_nor_closed(
    sqlite_database, monkeypatch, block
):
    former = driver(sqlite_database, block)
    monkeypatch.setattr(os, "getpid", lambda: -1)

    assert driver(sqlite_database, block) is not former
    assert not is_closed(former)


@BOTH
def test_closing_the_database_closes_the_kept_connections(sqlite_database, block):
    former = driver(sqlite_database, block)

    sqlite_database.close()

    assert is_closed(former)
    assert driver(sqlite_database, block) is not former
