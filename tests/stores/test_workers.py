"""The database in the processes of a server: with greenlets, and after a fork."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stores.entries import keys

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]


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
from app.stores.sql.database import open_database
database = open_database(sys.argv[1])
def write(name):
    for number in range(5):
        with database.write() as connection:
            gevent.sleep(0)  # a switch in the middle of a write
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
    # On SQLite without a queue of our own the second writer waits in C: no greenlet
    # runs, so none commits, and it fails when its five seconds are over.
    assert run(GREENLETS, database_url) == ["20"]
    assert len(keys(database)) == 100


FORK = """
import os, sys
from sqlalchemy import text
from app.stores.sql.database import open_database
database = open_database(sys.argv[1])
def inherited():
    with getattr(database, sys.argv[2])() as connection:
        tables = connection.execute(text("SELECT name FROM temp.sqlite_master"))
        return "mine" in tables.scalars().all()
with getattr(database, sys.argv[3])() as connection:
    connection.execute(text("CREATE TEMP TABLE mine (x TEXT)"))
child = os.fork()
if child == 0:
    os._exit(2 if inherited() else 3)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print("child-inherited" if status == 2 else "child-opened-its-own")
print("parent-kept" if inherited() else "parent-lost")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("ways", [("read", "write"), ("quick_read", "quick_read")])
def test_a_forked_process_opens_its_own_connections(sqlite_database, sqlite_url, ways):
    assert run(FORK, sqlite_url, *ways) == ["child-opened-its-own", "parent-kept"]
