"""Copying a database: SQLite to PostgreSQL and back, with every row and secret."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from app.flows.errors import StorageFailed
from app.flows.storage.copy import CopyDatabase
from app.flows.storage.errors import MoveRefused
from app.stores.encryption import Cipher
from app.stores.moves.tables import NewSqlTables, SqlStorage
from app.stores.people.audit import SqlAudit
from app.stores.people.oauth_sessions import SqlSessionStore
from app.stores.sql.database import open_database
from tests.stores.moves.conftest import OPERATOR, silent
from tests.stores.moves.test_backup import audited, sorted_rows, without_audit
from tests.stores.samples import ALICE, oauth_session
from tests.stores.sql.test_dump import fill

SPOIL = text("UPDATE users SET handle = 'other.test'")


def copy(source, target, cipher, clock):
    work = CopyDatabase(
        storage=SqlStorage(source, cipher),
        open_target=lambda url: Opened(url, cipher),
        audit=SqlAudit(source),
        clock=clock,
    )
    return work.run(target, operator=OPERATOR, progress=silent)


class Opened:
    def __init__(self, url, cipher):
        self.database, self.cipher = open_database(url), cipher

    def __enter__(self):
        return SqlStorage(self.database, self.cipher), SqlAudit(self.database)

    def __exit__(self, *_):
        self.database.close()


@pytest.fixture
def other_url(tmp_path):
    (tmp_path / "other").mkdir()
    return f"sqlite:///{tmp_path}/other/latchkey.db"


@pytest.mark.process
def test_copy_to_postgresql_and_back_keeps_every_row_and_secret(
    sqlite_database, postgres_url, other_url, cipher, clock
):
    fill(sqlite_database, cipher, clock)
    before = sorted_rows(without_audit(sqlite_database))

    there = copy(sqlite_database, postgres_url, cipher, clock)
    postgres = open_database(postgres_url)
    assert SqlSessionStore(postgres, cipher).get(ALICE, "grant-1") == oauth_session()
    back = copy(postgres, other_url, cipher, clock)

    other = open_database(other_url)
    assert there + 1 == back > 5  # with the event of the first copy
    assert sorted_rows(without_audit(other)) == before
    assert SqlSessionStore(other, cipher).get(ALICE, "grant-1") == oauth_session()
    other.require_schema()
    for each in (postgres, other):
        each.close()


def test_copy_is_audited_in_source_and_target(
    sqlite_database, other_url, cipher, clock
):
    moved = copy(sqlite_database, other_url, cipher, clock)

    other = open_database(other_url)
    for each in (sqlite_database, other):
        [event] = audited(each, "database_copied")
        assert event == {"rows": moved, "operator": "root", "reason": "a drill"}
    other.close()


def test_copy_into_a_database_with_tables_is_refused(
    sqlite_database, sqlite_url, cipher, clock
):
    with pytest.raises(StorageFailed, match="not empty"):
        copy(sqlite_database, sqlite_url, cipher, clock)


def test_copy_of_secrets_that_do_not_open_is_refused(
    sqlite_database, other_url, cipher, clock
):
    fill(sqlite_database, cipher, clock)

    with pytest.raises(MoveRefused, match="LATCHKEY_SECRET_KEY"):
        copy(sqlite_database, other_url, Cipher(bytes(32)), clock)

    other = open_database(other_url)
    assert other.schema_version() is None
    other.close()


def test_copy_that_reads_back_other_values_keeps_nothing(
    sqlite_database, other_url, cipher, clock, monkeypatch
):
    fill(sqlite_database, cipher, clock)
    insert = NewSqlTables.insert

    def insert_and_spoil(self, table, rows):
        insert(self, table, rows)
        if table == "users":
            self._connection.execute(SPOIL)

    monkeypatch.setattr(NewSqlTables, "insert", insert_and_spoil)

    with pytest.raises(MoveRefused, match="users: 1 row was written"):
        copy(sqlite_database, other_url, cipher, clock)

    other = open_database(other_url)
    assert other.schema_version() is None
    assert json.dumps(audited(sqlite_database, "database_copied")) == "[]"
    other.close()
