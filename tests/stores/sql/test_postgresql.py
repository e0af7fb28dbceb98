from __future__ import annotations

import sys

import pytest
from sqlalchemy import text

from app.stores.errors import DatabaseURLInvalid
from app.stores.sql.database import open_database
from tests.stores.entries import keys

pytestmark = pytest.mark.process


def test_read_on_a_connection_closed_by_the_server_succeeds(
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
    with (
        postgres_database.together(durable=durable),
        postgres_database.write() as connection,
    ):
        assert connection.scalar(text("SHOW synchronous_commit")) == commit


def test_postgresql_without_its_driver_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(DatabaseURLInvalid, match="extra `postgres`"):
        open_database("postgresql://user@host/x")
