"""ConcurrencyLimit: how much one process holds at once, in total and per key."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from app.flows.errors import TooManyRequests
from app.flows.limits.concurrency import ConcurrencyLimit

HERE, THERE = "203.0.113.9", "203.0.113.10"


@pytest.fixture
def limit():
    return ConcurrencyLimit("streams", per_key=2, retry_after=30)


def is_refused(limit, key):
    try:
        with limit.hold(key):
            return False
    except TooManyRequests:
        return True


def test_key_above_its_limit_is_refused_and_others_are_not(limit):
    with limit.hold(HERE), limit.hold(HERE):
        assert is_refused(limit, HERE)
        assert not is_refused(limit, THERE)


def test_refusal_names_the_limit_and_when_to_try_again(limit):
    with (
        limit.hold(HERE),
        limit.hold(HERE),
        pytest.raises(TooManyRequests) as refused,
        limit.hold(HERE),
    ):
        pass

    assert refused.value.kind == "streams"
    assert refused.value.retry_after == 30


def test_process_above_its_total_is_refused_for_each_key():
    limit = ConcurrencyLimit("calls", total=2, per_key=2, retry_after=2)

    with limit.hold("alice"), limit.hold("bob"):
        assert is_refused(limit, "carol")
    assert not is_refused(limit, "carol")


def test_failed_work_gives_its_place_back(limit):
    for _ in range(3):
        with pytest.raises(OSError, match="the client has gone"), limit.hold(HERE):
            raise OSError("the client has gone")

    assert limit.held == 0


def test_generator_that_is_closed_gives_its_place_back(limit):
    def stream():
        with limit.hold(HERE):
            yield b"pending"
            yield b"completed"

    halves = [stream(), stream()]
    for half in halves:
        next(half)
    assert is_refused(limit, HERE)

    halves[0].close()

    assert not is_refused(limit, HERE)


def test_refused_caller_takes_no_place(limit):
    with ExitStack() as first:
        first.enter_context(limit.hold(HERE))
        with limit.hold(HERE):
            for _ in range(3):
                assert is_refused(limit, HERE)

        assert not is_refused(limit, HERE)


def test_keys_without_places_are_not_kept(limit):
    for number in range(100):
        with limit.hold(f"203.0.113.{number}"):
            pass

    assert not limit._held


def test_racing_threads_get_no_more_places_than_the_limit():
    limit = ConcurrencyLimit("streams", per_key=10, retry_after=30)

    with ExitStack() as held, ThreadPoolExecutor(16) as pool:

        def enter(_):
            try:
                held.enter_context(limit.hold(HERE))
            except TooManyRequests:
                return 0
            return 1

        assert sum(pool.map(enter, range(100))) == 10
