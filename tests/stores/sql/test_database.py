from __future__ import annotations

import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.flows.errors import StorageFailed
from app.stores.errors import DatabaseURLInvalid
from app.stores.sql.database import open_database
from tests.stores.entries import ADD, add, keys


def test_the_schema_may_be_applied_again_and_keeps_what_is_there(database):
    add(database, "kept")

    database.apply_schema()

    assert keys(database) == {"kept"}


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


def test_together_commits_the_writes_of_its_block_at_once(database):
    with database.together():
        add(database, "one")
        add(database, "two", durable=False)

        assert keys(database) == {"one", "two"}
        with ThreadPoolExecutor(1) as another:
            assert another.submit(keys, database).result() == set()

    assert keys(database) == {"one", "two"}


def test_together_has_quick_statements_and_others_in_one_transaction(database):
    def fail_in_the_end():
        with database.together():
            with database.quick_write() as connection:
                connection.execute(ADD, {"key": "one"})
            add(database, "two")
            assert keys(database) == {"one", "two"}
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_in_the_end()

    assert keys(database) == set()


def test_together_with_an_error_undoes_every_write_of_its_block(database):
    def fail_in_the_end():
        with database.together():
            add(database, "one")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_in_the_end()

    assert keys(database) == set()
    add(database, "two")
    assert keys(database) == {"two"}


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
    database = open_database(f"postgresql://unknown@/none?host={tmp_path}")

    with pytest.raises(StorageFailed):
        database.ping()
