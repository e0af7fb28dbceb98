from __future__ import annotations

import logging

import pytest

from app.stores.cache import MEMORY_LIFETIME, SqlCache


@pytest.fixture
def cache(database, clock):
    return SqlCache(database, clock)


@pytest.fixture
def elsewhere(database, clock):
    """The cache of another process, on the same table."""
    return SqlCache(database, clock)


def test_value_of_one_process_is_read_by_another(cache, elsewhere):
    cache.put("document", "{}", lifetime=300)

    assert elsewhere.get("document") == "{}"


def test_another_process_does_not_outlive_the_lifetime(cache, elsewhere, clock):
    cache.put("document", "{}", lifetime=2)
    elsewhere.get("document")
    clock.advance(2)

    assert elsewhere.get("document") is None


def test_a_newer_value_reaches_another_process_within_seconds(cache, elsewhere, clock):
    cache.put("nonce", "old", lifetime=300)
    elsewhere.get("nonce")
    cache.put("nonce", "new", lifetime=300)
    clock.advance(MEMORY_LIFETIME)

    assert elsewhere.get("nonce") == "new"


def test_deleted_value_is_gone_in_another_process_within_seconds(
    cache, elsewhere, clock
):
    cache.put("identity", "{}", lifetime=300)
    elsewhere.get("identity")
    cache.delete("identity")
    clock.advance(MEMORY_LIFETIME)

    assert elsewhere.get("identity") is None


def test_memory_answers_for_a_moment_without_asking_the_table(cache, database):
    cache.put("document", "{}", lifetime=300)
    with database.write() as connection:
        connection.exec_driver_sql("DELETE FROM cache_entries")

    assert cache.get("document") == "{}"


def test_a_cache_without_its_table_forgets_and_says_so(cache, database, clock, caplog):
    with database.write() as connection:
        connection.exec_driver_sql("DROP TABLE cache_entries")

    with caplog.at_level(logging.WARNING):
        cache.put("document", "{}", lifetime=300)
        remembered = cache.get("document")
        clock.advance(MEMORY_LIFETIME)
        forgotten = cache.get("document")

    assert remembered == "{}"
    assert forgotten is None
    assert [r.getMessage().split(":")[0] for r in caplog.records] == [
        "cache not written",
        "cache not read",
    ]
