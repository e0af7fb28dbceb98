"""Rate-limit counters of a host, shared by its processes."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from app.stores.rates import host_counters as module
from app.stores.rates.host_counters import HostCounters, counters_path
from tests.fakes.clock import NOON, FakeClock

MINUTE = 60


@pytest.fixture
def clock():
    return FakeClock(NOON - NOON % MINUTE)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "latchkey.db.limits"


@pytest.fixture
def counters(path, clock):
    return HostCounters(path, clock)


def hits(counters, times, *, most=3):
    return [counters.hit(("address 192.0.2.1", most, MINUTE)) for _ in range(times)]


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
    clock.advance(wait - 1)
    [left] = hits(counters, 1)

    assert left == pytest.approx(1)

    clock.advance(1)

    assert hits(counters, 1) == [None]


def test_hit_of_another_key_is_counted_apart(counters):
    hits(counters, 3)

    assert counters.hit(("address 192.0.2.2", 3, MINUTE)) is None


def test_two_openings_of_the_file_count_together(counters, path, clock):
    hits(counters, 2)

    assert [wait is None for wait in hits(HostCounters(path, clock), 2)] == [
        True,
        False,
    ]


def test_window_slides_over_the_end_of_a_period(counters, clock):
    clock.advance(59)
    hits(counters, 10, most=10)
    clock.advance(2)

    assert hits(counters, 1, most=10) != [None]

    clock.advance(29)

    assert [wait is None for wait in hits(counters, 6, most=10)] == [True] * 5 + [False]


def test_counters_that_ended_are_deleted(counters, path, clock, monkeypatch):
    monkeypatch.setattr(module, "CLEAN_EVERY", 2)
    hits(counters, 1)
    clock.advance(3 * MINUTE)
    counters.hit(("another", 3, MINUTE))

    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM counters").fetchone() == (1,)


def test_more_counters_than_the_bound_delete_the_oldest(
    counters, path, clock, monkeypatch
):
    monkeypatch.setattr(module, "CLEAN_EVERY", 1)
    monkeypatch.setattr(module, "MOST_KEYS", 5)
    for number in range(20):
        clock.advance(MINUTE / 5)
        counters.hit((f"address {number}", 1, MINUTE))

    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM counters").fetchone() == (6,)
    assert counters.hit(("address 19", 1, MINUTE)) is not None


def test_file_is_private_and_holds_no_address(counters, path):
    hits(counters, 1)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"192.0.2.1" not in path.read_bytes()


def test_file_is_beside_sqlite_and_in_a_private_directory_otherwise(
    tmp_path, clock, monkeypatch
):
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(tmp_path))
    beside = counters_path("sqlite:////var/lib/latchkey/latchkey.db")
    apart = counters_path("postgresql://user:canary@db.test/latchkey")

    assert beside == Path("/var/lib/latchkey/latchkey.db.limits")
    assert "canary" not in str(apart)
    HostCounters(apart, clock).hit(("a", 1, MINUTE))
    assert stat.S_IMODE(apart.parent.stat().st_mode) == 0o700


def test_directory_that_others_can_write_is_refused(tmp_path, clock, monkeypatch):
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(tmp_path))
    apart = counters_path("postgresql://db.test/latchkey")
    apart.parent.mkdir()
    apart.parent.chmod(0o777)

    with pytest.raises(PermissionError):
        HostCounters(apart, clock).hit(("a", 1, MINUTE))


def test_hits_on_a_file_that_cannot_be_opened_keep_nothing(path, clock):
    path.mkdir()
    counters = HostCounters(path, clock)

    for _ in range(3):
        with pytest.raises(OSError, match="no file"):
            counters.hit(("a", 1, MINUTE))

    assert counters._abandoned == []
