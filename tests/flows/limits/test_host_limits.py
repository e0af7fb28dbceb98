"""Rate limits of hosts: a network's share, and hosts that people sign in at."""

from __future__ import annotations

from collections import Counter

import pytest

from app.flows.errors import TooManyRequests
from app.flows.limits.host_limits import HostLimit, login_from
from app.flows.limits.networks import network_of

LIMIT = 60
HOST = "pds.test"


class MemoryLimits:
    """Counts and never forgets."""

    def __init__(self):
        self.counts = Counter()

    def hit(self, kind, key, *, times=1):
        if self.counts[key] >= LIMIT * times:
            raise TooManyRequests(kind, retry_after=1)
        self.counts[key] += 1

    def hit_all(self, kind, counted):
        for key, times in counted:
            self.hit(kind, key, times=times)


@pytest.fixture
def host_limit():
    return HostLimit(limits=MemoryLimits(), is_known=lambda host: host == "known.test")


def passes(host_limit, host, address):
    try:
        with login_from(network_of(address)):
            host_limit(host)
    except TooManyRequests:
        return False
    return True


def test_one_network_uses_a_quarter_of_a_hosts_limit(host_limit):
    passed = [passes(host_limit, HOST, "203.0.113.7") for _ in range(20)]

    assert passed.count(True) == 15
    assert passes(host_limit, HOST, "203.0.113.8")


def test_three_64_of_one_48_are_one_network_for_a_host(host_limit):
    passed = [
        passes(host_limit, HOST, f"2001:db8:1:{subnet}::1")
        for subnet in range(3)
        for _ in range(20)
    ]

    assert passed.count(True) == 15
    assert passes(host_limit, HOST, "2001:db8:2::1")


def test_host_above_its_limit_is_refused_for_each_network(host_limit):
    passed = [passes(host_limit, HOST, f"203.0.113.{n}") for n in range(100)]

    assert passed.count(True) == LIMIT


def test_known_host_is_limited_ten_times_later(host_limit):
    passed = [passes(host_limit, "known.test", f"192.0.2.{n}") for n in range(1_000)]

    assert passed.count(True) == LIMIT + 10 * LIMIT


def test_documents_of_a_known_host_are_those_of_a_known_host(host_limit):
    name = "documents of known.test"
    passed = [passes(host_limit, name, f"192.0.2.{n}") for n in range(100)]

    assert all(passed)


def test_request_without_a_network_counts_for_the_host_alone(host_limit):
    for _ in range(LIMIT):
        host_limit(HOST)

    with pytest.raises(TooManyRequests):
        host_limit(HOST)
