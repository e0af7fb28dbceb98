"""Rate-limit counters in the database, shared by all nodes."""

from __future__ import annotations

import threading

import pytest

from app.flows.errors import StorageFailed, TooManyRequests
from app.stores.rates import database_counters as module
from app.stores.rates.database_counters import DatabaseCounters
from app.stores.rates.rate_limits import RateLimits
from app.stores.sql.database import open_database
from tests.fakes.clock import NOON, FakeClock

MINUTE = 60
ROWS = "SELECT count(*) FROM rate_counters"


@pytest.fixture
def clock():
    return FakeClock(NOON - NOON % MINUTE)


@pytest.fixture
def counters(database, clock):
    return DatabaseCounters(database, clock)


def hits(counters, times, *, most=3):
    return [counters.hit(("address 192.0.2.1", most, MINUTE)) for _ in range(times)]


def count(database, statement=ROWS):
    with database.read() as connection:
        return connection.exec_driver_sql(statement).scalar_one()


def test_hit_passes_up_to_the_limit_and_then_says_how_long_to_wait(counters):
    assert hits(counters, 3) == [None] * 3

    assert hits(counters, 1) == [pytest.approx(80)]


def test_hit_of_several_names_stops_at_the_first_that_is_full(counters):
    full = ("full", 1, MINUTE)
    counters.hit(full)

    assert counters.hit(("before", 1, MINUTE), full, ("after", 1, MINUTE)) is not None

    assert counters.hit(("before", 1, MINUTE)) is not None
    assert counters.hit(("after", 1, MINUTE)) is None


def test_hit_passes_again_after_the_wait(counters, clock):
    hits(counters, 3)
    [wait] = hits(counters, 1)
    clock.advance(wait)

    assert hits(counters, 1) == [None]


def test_window_slides_over_the_end_of_a_period(counters, clock):
    clock.advance(59)
    hits(counters, 10, most=10)
    clock.advance(31)

    assert [wait is None for wait in hits(counters, 6, most=10)] == [True] * 5 + [False]


def test_hit_of_another_key_is_counted_apart(counters):
    hits(counters, 3)

    assert counters.hit(("address 192.0.2.2", 3, MINUTE)) is None


def test_two_nodes_count_together(counters, database_url, database, clock):
    other = open_database(database_url)
    node = DatabaseCounters(other, clock)

    passed = [wait is None for wait in hits(counters, 2) + hits(node, 2)]

    other.close()
    assert passed == [True, True, True, False]


def test_concurrent_hits_never_pass_more_than_the_limit(counters):
    passed = []
    threads = [
        threading.Thread(target=lambda: passed.extend(hits(counters, 5, most=7)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(passed) == 20
    assert passed.count(None) == 7


def test_counters_that_ended_are_deleted(counters, database, clock, monkeypatch):
    monkeypatch.setattr(module, "CLEAN_EVERY", 2)
    hits(counters, 1)
    clock.advance(3 * MINUTE)
    counters.hit(("another", 3, MINUTE))

    assert count(database) == 1


def test_more_counters_than_the_bound_delete_the_oldest(
    counters, database, clock, monkeypatch
):
    monkeypatch.setattr(module, "CLEAN_EVERY", 1)
    monkeypatch.setattr(module, "MOST_KEYS", 5)
    for number in range(20):
        clock.advance(MINUTE / 5)
        counters.hit((f"address {number}", 1, MINUTE))

    assert count(database) == 6
    assert counters.hit(("address 19", 1, MINUTE)) is not None


def test_table_holds_no_address(counters, database):
    hits(counters, 1)

    assert "192.0.2.1" not in count(database, "SELECT key FROM rate_counters")


def test_limits_without_the_database_count_in_the_process(tmp_path, clock):
    counters = DatabaseCounters(open_database(f"sqlite:///{tmp_path}/empty.db"), clock)
    limits = RateLimits(counters, {"host": "1/hour"}, clock)

    with pytest.raises(StorageFailed):
        counters.hit(("host one.test", 1, MINUTE))
    limits.hit("host", "one.test")
    with pytest.raises(TooManyRequests):
        limits.hit("host", "one.test")
