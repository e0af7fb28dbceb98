"""Places for what waits, and pauses for hosts that asked for one."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from app.atproto.stores.memory import MemoryCache
from app.atproto.syntax.grammar import Did
from app.flows.errors import HostLimited, TooManyRequests
from app.flows.places import Places
from app.flows.xrpc.retry_after import LONGEST, UNSAID, Pauses, wait_of
from tests.fakes.clock import NOON, FakeClock

ALICE = Did("did:plc:alice")


def test_one_person_has_a_share_of_the_places():
    places = Places(altogether=5, each=2)

    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(places.hold("alice"))
        with pytest.raises(TooManyRequests), places.hold("alice"):
            pass
        held.enter_context(places.hold("bob"))
    with places.hold("alice"):
        pass


def test_all_together_have_no_more_than_there_are():
    places = Places(altogether=2, each=2)

    with places.hold("alice"), places.hold("bob"):
        with pytest.raises(TooManyRequests) as full, places.hold("carol"):
            pass
        assert full.value.retry_after > 0


def test_a_place_is_free_again_after_a_failure():
    places = Places(altogether=1, each=1)

    for _ in range(3):
        with pytest.raises(RuntimeError), places.hold("alice"):
            raise RuntimeError


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "5"}, 5),
        ({"Retry-After": "Wed, 23 Sep 2026 14:15:00 GMT"}, 1790172900 - NOON),
        ({"RateLimit-Reset": "30"}, 30),
        ({"RateLimit-Reset": str(int(NOON) + 45)}, 45),
        ({"Retry-After": "7", "RateLimit-Reset": "30"}, 7),
        ({"Retry-After": "-7"}, UNSAID),
        ({"Retry-After": "9" * 400}, UNSAID),
        ({"Retry-After": "\u0664"}, UNSAID),
        ({}, UNSAID),
    ],
)
def test_a_host_says_how_long_in_several_ways(headers, seconds):
    assert wait_of(headers, NOON) == seconds


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [("0", 1, 1), ("99999999", LONGEST, LONGEST), ("1600000000", 1, 1)],
)
def test_a_pause_is_neither_nothing_nor_for_ever(said, least, most):
    clock = FakeClock()
    pauses = Pauses(cache=MemoryCache(clock), clock=clock)

    assert least <= pauses.begin(ALICE, "GET", {"Retry-After": said}) <= most


def test_a_pause_is_over_when_it_is():
    clock = FakeClock()
    pauses = Pauses(cache=MemoryCache(clock), clock=clock)
    pauses.begin(ALICE, "GET", {"Retry-After": "10"})

    pauses.check(ALICE, "POST")
    with pytest.raises(HostLimited) as limited:
        pauses.check(ALICE, "GET")
    clock.advance(10)
    pauses.check(ALICE, "GET")

    assert limited.value.retry_after == 10
