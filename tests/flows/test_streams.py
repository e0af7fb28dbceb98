"""How many streams one address may hold open, and how they all end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from app.flows.errors import TooManyRequests
from app.flows.streams import OpenStreams

HERE, THERE = "203.0.113.9", "203.0.113.10"


@pytest.fixture
def streams():
    return OpenStreams(2)


def refusal(streams, address):
    with pytest.raises(TooManyRequests) as refused, streams.admit(address):
        pass
    return refused.value


def is_refused(streams, address):
    try:
        with streams.admit(address):
            return False
    except TooManyRequests:
        return True


def test_an_address_holds_as_many_streams_as_it_may(streams):
    with streams.admit(HERE), streams.admit(HERE):
        assert is_refused(streams, HERE)
        assert not is_refused(streams, THERE)


def test_a_refused_address_is_told_when_to_try_again(streams):
    with streams.admit(HERE), streams.admit(HERE):
        refused = refusal(streams, HERE)

    assert refused.kind == "streams"
    assert refused.retry_after > 0


def test_a_64_of_ipv6_counts_as_one_address(streams):
    with streams.admit("2001:db8:1:2::1"), streams.admit("2001:db8:1:2:ffff::9"):
        assert is_refused(streams, "2001:db8:1:2::3")
        assert not is_refused(streams, "2001:db8:1:3::1")


def test_a_place_is_free_again_however_its_stream_ended(streams):
    with pytest.raises(OSError, match="the client has gone"), streams.admit(HERE):
        raise OSError("the client has gone")

    with streams.admit(HERE), streams.admit(HERE):
        pass

    assert not is_refused(streams, HERE)


def test_a_place_is_free_again_when_a_generator_is_closed_in_the_middle(streams):
    def stream():
        with streams.admit(HERE):
            yield b"pending"
            yield b"completed"

    halves = [stream(), stream()]
    for half in halves:
        next(half)
    assert is_refused(streams, HERE)

    halves[0].close()

    assert not is_refused(streams, HERE)


def test_a_refused_stream_takes_nobodys_place(streams):
    with ExitStack() as first:
        first.enter_context(streams.admit(HERE))
        with streams.admit(HERE):
            for _ in range(3):
                assert is_refused(streams, HERE)

        assert not is_refused(streams, HERE)


def test_nothing_is_remembered_of_addresses_that_have_left(streams):
    for number in range(100):
        with streams.admit(f"203.0.113.{number}"):
            pass

    assert not streams._open


def test_threads_that_race_get_no_more_places_than_there_are():
    streams = OpenStreams(10)

    with ExitStack() as held, ThreadPoolExecutor(16) as pool:

        def enter(_):
            try:
                held.enter_context(streams.admit(HERE))
            except TooManyRequests:
                return 0
            return 1

        assert sum(pool.map(enter, range(100))) == 10


def test_a_process_that_is_about_to_stop_refuses_nobody(streams):
    """An EventSource that is refused gives up; one whose stream ends comes again."""
    assert not streams.is_ending

    streams.end()

    assert streams.is_ending
    assert not is_refused(streams, HERE)
