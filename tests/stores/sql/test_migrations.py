"""Migrations bring the schema of each release to schema.sql, with the data in it."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import ExitStack

import pytest
from sqlalchemy import text

from app.flows.errors import SchemaMismatch, StorageFailed
from app.stores.migrations import steps
from app.stores.sql import postgresql, sqlite, versions
from app.stores.sql.database import Database, open_database
from tests.stores import racers
from tests.stores.racers import race
from tests.stores.releases import (
    create_first_release,
    create_release,
    fill,
    rows,
    schema_of,
)

EARLIER = [each for each in versions.releases() if each != versions.CURRENT]
NEWER = text("UPDATE alembic_version SET version_num = '9.0.0'")
WAITS = text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE query LIKE 'CREATE INDEX%' AND wait_event_type = 'Lock'"
)
OLDEST = text("UPDATE schema_support SET oldest_release = :release")
# As release 0.1.0 writes them when a person signs in.
SIGN_IN = (
    """
    INSERT INTO sessions
        (sid, secret_hash, did, device, created_at, seen_at, expires_at)
    VALUES ('{0}', 'hash-{0}', 'did:plc:a', 'a device', 1, 1, 2)
    """,
    "UPDATE users SET issuer = 'https://auth.test'",
    """
    INSERT INTO oauth_sessions
        (did, session_id, issuer, pds, client_id, auth_method, scope, token_endpoint,
         secrets, created_at, refreshed_at, verified_at)
    VALUES ('did:plc:a', '{0}', 'i', 'p', 'c', 'none', 'atproto', 't', 's', 1, 1, 1)
    """,
)


@pytest.fixture
def empty(database_url):
    opened = open_database(database_url)
    opened.make()
    yield opened
    opened.close()


@pytest.fixture
def old(empty):
    """A database of release 0.1.0 with a row in every table."""
    create_release(empty, "0.1.0")
    fill(empty)
    return empty


@pytest.fixture(params=EARLIER)
def earlier(request, empty):
    """A database of each release before this one, with a row in every table."""
    create_release(empty, request.param)
    fill(empty)
    return empty


def silent(_: str) -> None:
    """Report nothing."""


def expected(database: Database):
    """Return the schema that schema.sql makes on the same kind of database."""
    with database.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
        else:
            names = connection.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            )
            for name in names.scalars().all():
                connection.exec_driver_sql(f"DROP TABLE {name}")
    assert database.apply_schema()
    return schema_of(database)


def sign_in(database: Database, sid: str) -> None:
    """Write what a sign-in of release 0.1.0 writes."""
    for statement in SIGN_IN:
        with database.write() as connection:
            connection.exec_driver_sql(statement.format(sid))


def test_upgrade_of_each_release_makes_the_schema_of_schema_sql(earlier):
    release = earlier.schema_version()

    assert earlier.upgrade_schema(silent) == (release, versions.CURRENT)

    assert schema_of(earlier) == expected(earlier)


def test_upgrade_of_each_release_keeps_every_row_of_every_table(earlier):
    before = rows(earlier)
    assert all(before.values())

    earlier.upgrade_schema(silent)

    assert {name: found for name, found in rows(earlier).items() if found} == before


def test_newest_revision_is_the_version_of_schema_sql(empty):
    empty.apply_schema()

    assert empty.schema_version() == versions.CURRENT
    assert versions.releases()[0] == versions.CURRENT


def test_upgrade_interrupted_at_any_step_may_run_again(old):
    """What the steps before it did stays on PostgreSQL, and is undone on SQLite."""
    seen: list[str] = []
    while True:
        try:
            old.upgrade_schema(interrupted_after(seen))
        except KeyboardInterrupt:
            assert old.schema_version() == "0.1.0"
        else:
            break

    assert len(seen) > 5
    assert schema_of(old) == expected(old)


def interrupted_after(seen: list[str]):
    """Return a report that ends the upgrade at the first step that is not in `seen`."""

    def report(step: str) -> None:
        if step not in seen:
            seen.append(step)
            raise KeyboardInterrupt

    return report


@pytest.mark.process
@pytest.mark.parametrize("step", [1, 9, 14])
def test_upgrade_after_one_that_was_killed_is_complete(old, database_url, step):
    assert racers.killed_in_upgrade(database_url, step)
    assert old.schema_version() == "0.1.0"

    assert old.upgrade_schema(silent) == ("0.1.0", versions.CURRENT)

    assert schema_of(old) == expected(old)


@pytest.mark.process
def test_upgrade_in_several_processes_at_once_runs_once(old, database_url):
    found_by_each = race(racers.upgrade_schema, database_url, [None] * 4)

    assert sorted(found_by_each) == ["0.1.0", *[versions.CURRENT] * 3]
    assert schema_of(old) == expected(old)


def test_upgrade_of_an_empty_database_leaves_it_empty(empty):
    assert empty.upgrade_schema(silent) == (None, versions.CURRENT)

    assert empty.schema_version() is None


def test_upgrade_of_a_current_database_changes_nothing(database):
    assert database.upgrade_schema(silent) == (versions.CURRENT, versions.CURRENT)


def test_an_empty_database_is_refused_and_init_named(empty):
    with pytest.raises(SchemaMismatch, match=r"no tables yet: run .* init"):
        empty.require_schema()


def test_an_older_database_is_refused_and_upgrade_named(old):
    for refuse in (old.require_schema, old.apply_schema):
        with pytest.raises(SchemaMismatch, match=r"release 0\.1\.0, .* run .* upgrade"):
            refuse()


def test_a_newer_database_that_names_this_release_is_accepted(database):
    """Nodes that are upgraded later go on, and so does a release after a roll back."""
    with database.write() as connection:
        connection.execute(NEWER)
        connection.execute(OLDEST, {"release": versions.CURRENT})

    database.require_schema()
    assert database.apply_schema() is False
    assert database.upgrade_schema(silent) == ("9.0.0", "9.0.0")


@pytest.mark.parametrize("oldest", ["0.10.0", None])
def test_a_newer_database_is_refused_by_everything(database, oldest):
    with database.write() as connection:
        connection.execute(NEWER)
        if oldest is None:
            connection.exec_driver_sql("DROP TABLE schema_support")
        else:
            connection.execute(OLDEST, {"release": oldest})

    for refuse in (
        database.require_schema,
        database.apply_schema,
        lambda: database.upgrade_schema(silent),
    ):
        with pytest.raises(
            SchemaMismatch, match=r"not know the schema of release 9\.0\.0"
        ):
            refuse()


def test_a_current_database_is_accepted(database):
    database.require_schema()


@pytest.mark.process
def test_sign_in_passes_between_all_steps_on_postgresql(postgres_url):
    old = open_database(postgres_url)
    create_first_release(old)
    service = open_database(postgres_url)
    steps_seen: list[str] = []

    def report(step: str) -> None:
        sign_in(service, f"during-{len(steps_seen)}")
        steps_seen.append(step)

    old.upgrade_schema(report)

    assert len(rows(old)["sessions"]) == len(steps_seen) > 5
    for each in (old, service):
        each.close()


def test_sign_in_waits_for_the_migration_on_sqlite_and_reads_do_not(sqlite_url):
    old = open_database(sqlite_url)
    create_first_release(old)
    service = open_database(sqlite_url)
    waiting: list[threading.Thread] = []

    def report(_: str) -> None:
        assert service.schema_version() == "0.1.0"
        if not waiting:
            waiting.append(threading.Thread(target=sign_in, args=(service, "one")))
            waiting[0].start()

    old.upgrade_schema(report)
    waiting[0].join()

    assert len(rows(old)["sessions"]) == 1
    for each in (old, service):
        each.close()


@pytest.mark.process
def test_a_table_that_stays_locked_ends_the_upgrade_which_may_run_again(
    postgres_url, monkeypatch
):
    monkeypatch.setattr(steps, "TRIES", 2)
    monkeypatch.setattr(steps, "PAUSE", 0.0)
    old, service = open_database(postgres_url), open_database(postgres_url)
    create_first_release(old)

    with service.write() as connection:
        connection.exec_driver_sql("LOCK TABLE sessions")
        with pytest.raises(StorageFailed):
            old.upgrade_schema(silent)

    assert old.upgrade_schema(silent) == ("0.1.0", versions.CURRENT)
    for each in (old, service):
        each.close()


@pytest.mark.process
def test_an_index_that_an_interruption_left_invalid_is_built_again(postgres_url):
    old = open_database(postgres_url)
    create_first_release(old)
    with old.write() as connection:
        connection.exec_driver_sql(
            "CREATE INDEX oauth_sessions_by_pds ON oauth_sessions (pds)"
        )
        connection.exec_driver_sql(
            "UPDATE pg_index SET indisvalid = false "
            "WHERE indexrelid = 'oauth_sessions_by_pds'::regclass"
        )

    old.upgrade_schema(silent)

    assert schema_of(old) == expected(old)
    old.close()


def test_upgrade_on_sqlite_waits_for_a_writer_longer_than_the_service_does(
    sqlite_url, monkeypatch
):
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.0)
    old = open_database(sqlite_url)
    old.make()
    create_first_release(old)
    writer = sqlite3.connect(old.path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    begin, tries = sqlite.begin, []

    def begin_until_the_writer_is_done(connection, *, durable):
        tries.append(durable)
        if len(tries) == 3:
            writer.execute("ROLLBACK")
        begin(connection, durable=durable)

    monkeypatch.setattr(sqlite, "begin", begin_until_the_writer_is_done)

    assert old.upgrade_schema(silent) == ("0.1.0", versions.CURRENT)
    for each in (writer, old):
        each.close()


@pytest.mark.process
def test_an_index_waits_for_an_older_transaction_such_as_a_backup(
    postgres_url, monkeypatch
):
    monkeypatch.setattr(postgresql, "TABLE_TIMEOUT", "1ms")
    old, service = open_database(postgres_url), open_database(postgres_url)
    create_first_release(old)
    backup = ExitStack()
    reader = backup.enter_context(service.snapshot())
    # A table that gets an index and no column: a new column would wait for it.
    reader.exec_driver_sql("SELECT count(*) FROM audit_events")
    waiting: list[threading.Thread] = []

    def report(step: str) -> None:
        if step.startswith("CREATE INDEX") and not waiting:
            waiting.append(threading.Thread(target=end_once_waited_for))
            waiting[0].start()

    def end_once_waited_for() -> None:
        with service.read() as connection:
            while not connection.execute(WAITS).scalar():
                """The index is not built yet."""
        backup.close()

    old.upgrade_schema(report)
    waiting[0].join()

    assert schema_of(old) == expected(old)
    for each in (old, service):
        each.close()
