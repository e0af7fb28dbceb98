"""Retry-After of a PDS: how long a call on /auth/xrpc leaves the host alone."""

from __future__ import annotations

import pytest

from app.atproto.stores.memory import MemoryCache
from app.atproto.syntax.grammar import Did
from app.flows.errors import HostRateLimited
from app.flows.xrpc.retry_after import LONGEST, UNSAID, RetryAfter, wait_of
from tests.fakes.clock import NOON, FakeClock

ALICE = Did("did:plc:alice")


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
def test_wait_of_reads_retry_after_and_ratelimit_reset(headers, seconds):
    assert wait_of(headers, NOON) == seconds


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [("0", 1, 1), ("99999999", LONGEST, LONGEST), ("1600000000", 1, 1)],
)
def test_pause_lasts_from_one_second_to_a_day(said, least, most):
    clock = FakeClock()
    retry_after = RetryAfter(cache=MemoryCache(clock), clock=clock)

    assert least <= retry_after.begin(ALICE, "GET", {"Retry-After": said}) <= most


def test_pause_ends_after_its_seconds():
    clock = FakeClock()
    retry_after = RetryAfter(cache=MemoryCache(clock), clock=clock)
    retry_after.begin(ALICE, "GET", {"Retry-After": "10"})

    retry_after.check(ALICE, "POST")
    with pytest.raises(HostRateLimited) as limited:
        retry_after.check(ALICE, "GET")
    clock.advance(10)
    retry_after.check(ALICE, "GET")

    assert limited.value.retry_after == 10
