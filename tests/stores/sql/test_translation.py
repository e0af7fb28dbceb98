"""What an error of the database says: which database, what happened, what helps."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from app.flows.errors import StorageUnavailable
from app.stores.sql import sqlite
from app.stores.sql.database import open_database
from tests.stores.entries import ADD, add, keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SMALL = 1 << 20


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program holds the write lock of a database."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.0)


@pytest.mark.parametrize("way", ["write", "quick_write", "together"])
@pytest.mark.usefixtures("impatient")
def test_locked_database_is_named_with_what_helps(sqlite_database, tmp_path, way):
    with (
        locked(tmp_path / "latchkey.db"),
        pytest.raises(StorageUnavailable) as failed,
        getattr(sqlite_database, way)(),
    ):
        pass

    assert str(failed.value) == (
        f"{tmp_path}/latchkey.db: database is locked; "
        "another program is writing to it: wait, or end that program"
    )
    assert failed.value.rolled_back is True


def test_full_disk_is_named_and_the_transaction_is_rolled_back(
    sqlite_database, tmp_path
):
    add(sqlite_database, "before")

    def fill() -> None:
        with sqlite_database.write() as connection:
            connection.execute(ADD, {"key": "first"})
            connection.exec_driver_sql("PRAGMA max_page_count = 1")  # no more than now
            connection.execute(ADD, {"key": "x" * SMALL})

    with pytest.raises(StorageUnavailable) as failed:
        fill()

    assert str(failed.value) == (
        f"{tmp_path}/latchkey.db: database or disk is full; free space on its disk"
    )
    assert failed.value.rolled_back is True
    assert keys(sqlite_database) == {"before"}


def test_disk_io_error_may_be_a_full_disk(sqlite_database, tmp_path):
    """SQLite says so of a full disk where it cannot make the files of its log."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE

    with (
        pytest.raises(StorageUnavailable) as failed,
        sqlite_database.quick_write(),
    ):
        raise error

    assert str(failed.value) == (
        f"{tmp_path}/latchkey.db: disk I/O error; "
        "see whether its disk is full (`df`), then look at `dmesg`"
    )


def test_damaged_file_is_named_and_a_read_rolls_nothing_back(tmp_path):
    (tmp_path / "latchkey.db").write_bytes(b"no database" * 1000)
    database = open_database(f"sqlite:///{tmp_path}/latchkey.db")

    with pytest.raises(StorageUnavailable) as failed:
        database.ping()

    assert str(failed.value) == (
        f"{tmp_path}/latchkey.db: file is not a database; "
        "stop the service and `restore` the last backup"
    )
    assert failed.value.rolled_back is None


def test_missing_file_is_named_once(tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/latchkey.db")

    with pytest.raises(StorageUnavailable) as failed:
        database.ping()

    assert str(failed.value).count("latchkey.db") == 1


def test_server_is_named_without_user_password_and_options(tmp_path):
    """Options of the URL may hold a password too."""
    url = f"postgresql://canary:canary@/users?host={tmp_path}&password=canary"
    database = open_database(url)

    with pytest.raises(StorageUnavailable) as failed:
        database.ping()

    assert str(failed.value).startswith("postgresql:///users: connection ")
    assert str(failed.value).endswith(
        "; see that the server runs and that DATABASE_URL is right"
    )
    assert "canary" not in str(failed.value)


@pytest.mark.process
@pytest.mark.parametrize(
    ("sqlstate", "remedy"),
    [
        ("53100", "free space on the server's disk"),
        ("53300", "raise max_connections of the server"),
        ("25006", "let DATABASE_URL name the primary server"),
    ],
)
def test_refusal_of_a_server_has_what_helps(postgres_database, sqlstate, remedy):
    with (
        pytest.raises(StorageUnavailable) as failed,
        postgres_database.write() as connection,
    ):
        connection.exec_driver_sql(
            f"DO $$ BEGIN RAISE 'refused' USING ERRCODE = '{sqlstate}'; END $$"
        )

    assert str(failed.value).endswith(f": refused; {remedy}")
    assert failed.value.rolled_back is True
