from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import pytest
from sqlalchemy import text

from app.flows.errors import StorageFailed
from app.stores.additions import ADDED
from app.stores.database import open_database
from app.stores.errors import DatabaseURLInvalid

ADD = text("INSERT INTO cache_entries VALUES (:key, '', 0)")
ROOT = Path(__file__).parents[2]


def keys(database):
    with database.read() as connection:
        return set(connection.execute(text("SELECT key FROM cache_entries")).scalars())


def add(database, key, **how):
    with database.write(**how) as connection:
        connection.execute(ADD, {"key": key})


# --- alike on both databases --------------------------------------------------------


def test_the_schema_may_be_applied_again_and_keeps_what_is_there(database):
    add(database, "kept")

    database.apply_schema()

    assert keys(database) == {"kept"}


def test_a_table_of_an_older_release_gets_the_columns_that_it_lacks(database):
    with database.write() as connection:
        for table, column, _ in ADDED:
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {column}")

    database.apply_schema()

    with database.read() as connection:
        found = connection.execute(text("SELECT * FROM oauth_sessions")).keys()
    assert {column for _, column, _ in ADDED} <= set(found)


def test_a_write_is_seen_by_the_next_read(database):
    add(database, "one")
    add(database, "two", durable=False)

    assert keys(database) == {"one", "two"}


def test_a_write_that_fails_leaves_nothing_behind(database):
    def fail_in_the_middle():
        with database.write() as connection:
            connection.execute(ADD, {"key": "one"})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_in_the_middle()

    assert keys(database) == set()
    add(database, "two")
    assert keys(database) == {"two"}


def test_a_write_is_not_seen_before_it_is_committed(database):
    with database.write() as connection:
        connection.execute(ADD, {"key": "one"})

        assert keys(database) == set()


def test_a_refusal_of_the_database_is_a_storage_failure_without_values(database):
    add(database, "canary-key")

    with pytest.raises(StorageFailed) as failed:
        add(database, "canary-key")

    shown = "".join(traceback.format_exception(failed.value.__cause__))
    assert "canary-key" not in str(failed.value)
    assert "parameters" in shown
    assert "'canary-key'" not in shown


def test_a_database_that_answers_is_alive(database):
    database.ping()


def test_a_closed_database_opens_again_when_it_is_used(database):
    database.close()

    assert keys(database) == set()


# --- URLs ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
        "mysql://root:canary@localhost/x",
        "postgresql://user:canary@host:port/x",
        "postgresql://user:p@ss:canary",
        "sqlite:////dev/null/latchkey.db",
    ],
)
def test_a_url_that_cannot_serve_is_refused_without_its_password(url):
    with pytest.raises(DatabaseURLInvalid) as refused:
        open_database(url)

    assert "canary" not in "".join(traceback.format_exception(refused.value))


def test_a_server_that_is_down_is_a_storage_failure(tmp_path):
    database = open_database(f"postgresql://nobody@/none?host={tmp_path}")

    with pytest.raises(StorageFailed):
        database.ping()


# --- PostgreSQL ---------------------------------------------------------------------


def test_a_connection_that_the_server_closed_costs_nobody_a_read(
    postgres_database, postgres_url
):
    keys(postgres_database)
    other = open_database(postgres_url)
    with other.read() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        )
    other.close()

    assert keys(postgres_database) == set()


def test_no_statement_waits_forever(postgres_database):
    with postgres_database.read() as connection:
        for setting in ("statement_timeout", "lock_timeout"):
            assert connection.exec_driver_sql(f"SHOW {setting}").scalar() == "5s"


@pytest.mark.parametrize(("durable", "commit"), [(True, "on"), (False, "off")])
def test_postgresql_waits_for_the_disk_where_it_matters(
    postgres_database, durable, commit
):
    with postgres_database.write(durable=durable) as connection:
        assert connection.scalar(text("SHOW synchronous_commit")) == commit


# --- SQLite -------------------------------------------------------------------------


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


def test_the_file_of_sqlite_is_private_and_its_folder_is_made(tmp_path):
    file = tmp_path / "var" / "deep" / "latchkey.db"
    database = open_database(f"sqlite:///{file}")
    database.apply_schema()
    modes = {stat.S_IMODE(made.stat().st_mode) for made in file.parent.iterdir()}
    database.close()

    assert modes == {0o600}


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


def test_writers_of_one_process_queue_and_nobody_fails(sqlite_database):
    def work(name):
        for number in range(25):
            add(sqlite_database, f"{name}-{number}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(keys(sqlite_database)) == 8 * 25


def run(script, *arguments):
    """Run a script in a process of its own and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


GREENLETS = """
import gevent.monkey
gevent.monkey.patch_all()
import sys, gevent
from sqlalchemy import text
from app.stores.database import open_database
database = open_database(sys.argv[1])
def write(name):
    for number in range(5):
        with database.write() as connection:
            gevent.sleep(0)  # whatever switches in the middle of a write
            connection.execute(
                text("INSERT INTO cache_entries VALUES (:key, '', 0)"),
                {"key": f"{name}-{number}"},
            )
        with database.read() as connection:
            connection.execute(text("SELECT * FROM cache_entries")).all()
writers = [gevent.spawn(write, name) for name in range(20)]
gevent.joinall(writers, timeout=60, raise_error=True)
print(sum(writer.successful() for writer in writers))
"""


def test_greenlets_that_switch_in_the_middle_of_a_write_do_not_lock_each_other_out(
    database, database_url
):
    # On SQLite without a queue of our own the second writer waits in C: nobody runs,
    # so nobody commits, and it fails when its five seconds are over.
    assert run(GREENLETS, database_url) == ["20"]
    assert len(keys(database)) == 100


FORK = """
import os, sys
from sqlalchemy import text
from app.stores.database import open_database
database = open_database(sys.argv[1])
def inherited():
    with database.read() as connection:
        tables = connection.execute(text("SELECT name FROM temp.sqlite_master"))
        return "mine" in tables.scalars().all()
with database.write() as connection:
    connection.execute(text("CREATE TEMP TABLE mine (x TEXT)"))
child = os.fork()
if child == 0:
    os._exit(2 if inherited() else 3)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print("child-inherited" if status == 2 else "child-opened-its-own")
print("parent-kept" if inherited() else "parent-lost")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_opens_its_own_connections(sqlite_database, sqlite_url):
    assert run(FORK, sqlite_url) == ["child-opened-its-own", "parent-kept"]
