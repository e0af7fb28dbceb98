"""The circuit breaker: when it opens, admits a probe, and closes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.atproto.errors import HostCircuitOpen, HostUnreachable
from app.atproto.http.circuit_breaker import Breaker
from app.atproto.http.client import NetworkPolicy
from tests.atproto.doors import Door
from tests.fakes.clock import FakeClock
from tests.fakes.hostile import HostileServer, drips, hangs_up, says

HOST = "pds.example.com"
LAB = NetworkPolicy.lab()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def breaker(clock):
    return Breaker(monotonic=clock.monotonic)


def fail(breaker, times, host=HOST):
    for _ in range(times):
        breaker.failed(host)


def test_breaker_admits_unknown_host(breaker):
    breaker.admit(HOST)


def test_breaker_admits_host_after_one_failure(breaker):
    fail(breaker, 1)

    breaker.admit(HOST)


def test_breaker_admits_host_after_two_failures(breaker):
    fail(breaker, 2)

    breaker.admit(HOST)


def test_breaker_opens_after_third_failure_in_a_row(breaker):
    fail(breaker, 3)

    with pytest.raises(HostCircuitOpen) as caught:
        breaker.admit(HOST)

    assert caught.value.host == HOST
    assert caught.value.retry_after == pytest.approx(30)
    assert not caught.value.sent


def test_success_resets_the_failure_count(breaker):
    fail(breaker, 2)
    breaker.succeeded(HOST)
    fail(breaker, 2)

    breaker.admit(HOST)


def test_open_circuit_of_one_host_admits_other_hosts(breaker):
    fail(breaker, 3)

    breaker.admit("other.example.com")


def test_breaker_admits_probe_after_thirty_seconds(breaker, clock):
    fail(breaker, 3)
    clock.advance(30)

    breaker.admit(HOST)


def test_breaker_stays_open_before_thirty_seconds(breaker, clock):
    fail(breaker, 3)
    clock.advance(29.9)

    with pytest.raises(HostCircuitOpen):
        breaker.admit(HOST)


def test_later_failures_do_not_prolong_the_open_time(breaker, clock):
    fail(breaker, 3)
    clock.advance(10)
    fail(breaker, 5)
    clock.advance(20)

    breaker.admit(HOST)


def test_breaker_admits_one_probe_only(breaker, clock):
    fail(breaker, 3)
    clock.advance(30)
    breaker.admit(HOST)

    with pytest.raises(HostCircuitOpen):
        breaker.admit(HOST)


def test_successful_probe_closes_the_circuit(breaker, clock):
    fail(breaker, 3)
    clock.advance(30)
    breaker.admit(HOST)
    breaker.succeeded(HOST)

    breaker.admit(HOST)
    breaker.admit(HOST)


def test_failed_probe_keeps_the_circuit_open(breaker, clock):
    fail(breaker, 3)
    clock.advance(30)
    breaker.admit(HOST)
    breaker.failed(HOST)
    clock.advance(29)

    with pytest.raises(HostCircuitOpen):
        breaker.admit(HOST)


def test_probe_without_outcome_allows_another_probe_later(breaker, clock):
    fail(breaker, 3)
    clock.advance(30)
    breaker.admit(HOST)
    clock.advance(30)

    breaker.admit(HOST)


def test_breaker_remembers_the_latest_hosts_only(clock):
    breaker = Breaker(max_hosts=2, monotonic=clock.monotonic)
    fail(breaker, 3, "first.example.com")
    fail(breaker, 3, "second.example.com")
    fail(breaker, 3, "third.example.com")

    breaker.admit("first.example.com")
    with pytest.raises(HostCircuitOpen):
        breaker.admit("third.example.com")


def test_one_of_many_threads_is_the_probe(breaker, clock):
    fail(breaker, 3)
    clock.advance(30)

    def is_admitted(_):
        try:
            breaker.admit(HOST)
        except HostCircuitOpen:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        admitted = list(threads.map(is_admitted, range(64)))

    assert admitted.count(True) == 1


# --- behind SafeHTTP ---


@pytest.fixture
def closed_port():
    with HostileServer(says()) as server:
        pass
    return server


def test_host_refusing_three_connections_raises_host_circuit_open(breaker, closed_port):
    with Door(LAB, breaker=breaker) as door:
        for _ in range(3):
            with pytest.raises(HostUnreachable, match="refused"):
                door.get(closed_port)
        with pytest.raises(HostCircuitOpen) as caught:
            door.get(closed_port)

        assert caught.value.retry_after == pytest.approx(30)
        assert len(door.resolve.asked) == 3


def test_response_resets_the_failure_count(breaker):
    act = [hangs_up, hangs_up, says(), hangs_up, hangs_up, says()]
    with Door(LAB, breaker=breaker) as door, HostileServer(*act) as server:
        for _ in range(2):
            for _ in range(2):
                with pytest.raises(HostUnreachable):
                    door.post(server)
            door.post(server)


def test_server_error_neither_counts_nor_resets_failures(breaker):
    act = [hangs_up, hangs_up, says(status=500, close=True), hangs_up, says()]
    with Door(LAB, breaker=breaker) as door, HostileServer(*act) as server:
        for _ in range(2):
            with pytest.raises(HostUnreachable):
                door.post(server)
        assert door.post(server).status == 500
        with pytest.raises(HostUnreachable):
            door.post(server)
        with pytest.raises(HostCircuitOpen):
            door.post(server)


def test_timeout_of_a_short_budget_is_not_counted(breaker):
    with Door(LAB, breaker=breaker) as door, HostileServer(drips(b"")) as server:
        for _ in range(4):
            with pytest.raises(HostUnreachable, match="in time"):
                door.get(server, seconds=0.1)


def test_open_circuit_is_for_one_port_of_a_host(breaker, closed_port):
    with Door(LAB, breaker=breaker) as door, HostileServer(says()) as server:
        for _ in range(3):
            with pytest.raises(HostUnreachable):
                door.get(closed_port)

        assert door.get(server).status == 200
