from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading

import pytest
from sqlalchemy import make_url

from app.flows.errors import StorageFailed, StorageUnavailable
from app.stores.errors import DatabaseURLInvalid
from app.stores.sql import sqlite
from app.stores.sql.database import Database, open_database
from tests.stores.entries import ADD, add, keys
from tests.stores.racers import apply_schema, count_entries, race


def pragma(connection, name):
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_sqlite_logs_ahead_checks_keys_and_waits_for_its_lock(sqlite_database):
    with sqlite_database.read() as connection:
        assert pragma(connection, "journal_mode") == "wal"
        assert pragma(connection, "foreign_keys") == 1
        assert pragma(connection, "busy_timeout") == 5_000


@pytest.mark.parametrize("order", [(True, False, True), (False, True, False)])
def test_sqlite_waits_for_the_disk_where_it_matters(sqlite_database, order):
    full, normal = 2, 1
    for durable in order:
        with sqlite_database.write(durable=durable) as connection:
            expected = full if durable else normal
            assert pragma(connection, "synchronous") == expected
        with (
            sqlite_database.together(durable=durable),
            sqlite_database.write() as connection,
        ):
            assert pragma(connection, "synchronous") == expected


def test_the_files_of_sqlite_are_private(sqlite_database, tmp_path):
    add(sqlite_database, "a row")

    modes = {stat.S_IMODE(made.stat().st_mode) for made in tmp_path.iterdir()}

    assert modes == {0o600}


def test_the_directory_of_development_is_made_private(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    open_database("sqlite:///var/latchkey.db")

    assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o700


def test_missing_directory_is_refused_and_not_made(tmp_path):
    """An unmounted volume must not start an empty platform."""
    with pytest.raises(DatabaseURLInvalid, match="does not exist; mount its volume"):
        open_database(f"sqlite:///{tmp_path}/volume/latchkey.db")

    assert list(tmp_path.iterdir()) == []


def test_missing_file_is_an_outage_and_not_made(tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/latchkey.db")

    with pytest.raises(StorageUnavailable, match="does not exist"):
        database.ping()

    assert list(tmp_path.iterdir()) == []


def test_file_that_is_deleted_under_a_connection_is_an_outage(
    sqlite_database, tmp_path
):
    add(sqlite_database, "before")
    for file in tmp_path.iterdir():
        file.unlink()

    with pytest.raises(StorageUnavailable, match="does not exist"):
        add(sqlite_database, "into a deleted file")


def test_file_that_is_replaced_under_a_connection_is_opened_again(
    sqlite_database, tmp_path
):
    add(sqlite_database, "before")
    sqlite_database.close()
    backup = (tmp_path / "latchkey.db").read_bytes()
    add(sqlite_database, "after the backup")
    for file in tmp_path.iterdir():
        file.unlink()
    (tmp_path / "latchkey.db").write_bytes(backup)

    assert keys(sqlite_database) == {"before"}


@pytest.mark.parametrize(
    ("mode", "warns"), [(0o777, True), (0o1777, True), (0o755, False)]
)
def test_directory_that_everyone_can_write_is_warned_about(
    tmp_path, caplog, mode, warns
):
    tmp_path.chmod(mode)

    open_database(f"sqlite:///{tmp_path}/latchkey.db")

    assert ("every user of this machine can write" in caplog.text) is warns


@pytest.mark.process
def test_opening_the_database_again_lets_go_of_no_lock(sqlite_database, sqlite_url):
    """Or else another process takes itself for the last and deletes our log."""
    add(sqlite_database, "before")
    open_database(sqlite_url).close()

    race(apply_schema, sqlite_url, [None])  # comes and goes
    add(sqlite_database, "after")

    again = open_database(sqlite_url)
    assert race(count_entries, sqlite_url, [None]) == [2]
    assert keys(again) == {"before", "after"}
    again.close()


def test_a_folder_is_no_database(tmp_path):
    folder = tmp_path / "latchkey.db"
    folder.mkdir()

    with pytest.raises(DatabaseURLInvalid, match=r"latchkey\.db"):
        open_database(f"sqlite:///{folder}")


def test_path_that_the_system_refuses_is_named_in_one_line(tmp_path):
    with pytest.raises(DatabaseURLInvalid, match="File name too long"):
        open_database(f"sqlite:///{tmp_path}/{'x' * 300}/latchkey.db")


def test_connections_are_kept(sqlite_database):
    with sqlite_database.write() as connection:
        connection.exec_driver_sql("CREATE TEMP TABLE of_this_connection (x TEXT)")

    with sqlite_database.read() as connection:
        connection.exec_driver_sql("SELECT x FROM of_this_connection")


def test_a_writer_waits_for_another_process_that_writes(sqlite_database, tmp_path):
    other = sqlite3.connect(
        tmp_path / "latchkey.db", isolation_level=None, check_same_thread=False
    )
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.2, other.execute, ["COMMIT"])
    release.start()

    add(sqlite_database, "waited")

    release.join()
    other.close()
    assert keys(sqlite_database) == {"waited"}


WAITING = """
from gevent import monkey; monkey.patch_all()
import sqlite3, sys
import gevent
from sqlalchemy import make_url
from app.stores.sql import sqlite
from app.stores.sql.database import Database

url = make_url(sys.argv[1])
other = sqlite3.connect(url.database, isolation_level=None)
other.execute("BEGIN IMMEDIATE")
gevent.spawn(other.execute, "COMMIT")
with Database(url, sqlite).write() as connection:
    print("written")
"""


@pytest.mark.process
def test_greenlets_go_on_while_a_writer_waits_for_another_process(
    sqlite_database, sqlite_url
):
    command = [sys.executable, "-c", WAITING, sqlite_url]
    waiting = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False
    )

    assert waiting.stdout == "written\n", waiting.stderr


def test_a_write_begins_with_the_lock_so_that_what_it_read_stays_true(
    sqlite_database, tmp_path
):
    other = sqlite3.connect(tmp_path / "latchkey.db", timeout=0, isolation_level=None)
    with sqlite_database.write() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM cache_entries")

        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("INSERT INTO cache_entries VALUES ('other', '', 0)")
        connection.execute(ADD, {"key": "ours"})
    other.close()

    assert keys(sqlite_database) == {"ours"}


def test_racing_writers_of_one_process_all_commit(sqlite_database):
    def work(name):
        for number in range(25):
            add(sqlite_database, f"{name}-{number}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(keys(sqlite_database)) == 8 * 25


def test_a_writer_does_not_queue_forever(sqlite_database, sqlite_url):
    database = Database(make_url(sqlite_url), sqlite, writer_timeout=0.05)
    failures = []

    def write_too():
        try:
            add(database, "late")
        except StorageFailed as error:
            failures.append(str(error))

    with database.write():
        second = threading.Thread(target=write_too)
        second.start()
        second.join()
    database.close()

    assert failures == ["another writer of this process takes too long"]


class Refusing:
    """A connection whose file others are turning to WAL at this very moment."""

    def __init__(self, code: int, times: int) -> None:
        self.refusals = [code] * times

    def execute(self, _statement: str) -> None:
        if self.refusals:
            error = sqlite3.OperationalError("refused")
            error.sqlite_errorcode = self.refusals.pop()
            raise error


@pytest.mark.parametrize("code", [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_RECOVERY])
def test_a_file_that_others_turn_to_wal_is_waited_for(code):
    connection = Refusing(code, times=3)

    sqlite.begin_log(connection)

    assert connection.refusals == []


def test_error_other_than_busy_is_raised_at_once():
    with pytest.raises(sqlite3.OperationalError, match="refused"):
        sqlite.begin_log(Refusing(sqlite3.SQLITE_READONLY, times=1))
