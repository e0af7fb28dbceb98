"""A host that fails again and again is left alone for a moment, and only then."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.atproto.errors import HostResting, HostUnreachable
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


def test_an_unknown_host_is_let_through(breaker):
    breaker.admit(HOST)


def test_one_failure_never_blocks_the_next_try(breaker):
    fail(breaker, 1)

    breaker.admit(HOST)


def test_two_failures_block_nothing_either(breaker):
    fail(breaker, 2)

    breaker.admit(HOST)


def test_the_third_failure_in_a_row_gives_the_host_a_rest(breaker):
    fail(breaker, 3)

    with pytest.raises(HostResting) as caught:
        breaker.admit(HOST)

    assert caught.value.host == HOST
    assert caught.value.retry_after == pytest.approx(30)
    assert not caught.value.sent


def test_a_success_in_between_starts_the_count_again(breaker):
    fail(breaker, 2)
    breaker.succeeded(HOST)
    fail(breaker, 2)

    breaker.admit(HOST)


def test_other_hosts_are_not_concerned(breaker):
    fail(breaker, 3)

    breaker.admit("other.example.com")


def test_the_rest_ends_after_thirty_seconds(breaker, clock):
    fail(breaker, 3)
    clock.advance(30)

    breaker.admit(HOST)


def test_the_rest_lasts_until_then(breaker, clock):
    fail(breaker, 3)
    clock.advance(29.9)

    with pytest.raises(HostResting):
        breaker.admit(HOST)


def test_stragglers_do_not_prolong_the_rest(breaker, clock):
    fail(breaker, 3)
    clock.advance(10)
    fail(breaker, 5)
    clock.advance(20)

    breaker.admit(HOST)


def test_after_the_rest_one_goes_first_to_find_out(breaker, clock):
    fail(breaker, 3)
    clock.advance(30)
    breaker.admit(HOST)

    with pytest.raises(HostResting):
        breaker.admit(HOST)


def test_the_one_that_succeeds_opens_the_way_for_all(breaker, clock):
    fail(breaker, 3)
    clock.advance(30)
    breaker.admit(HOST)
    breaker.succeeded(HOST)

    breaker.admit(HOST)
    breaker.admit(HOST)


def test_the_one_that_fails_gives_the_host_another_rest(breaker, clock):
    fail(breaker, 3)
    clock.advance(30)
    breaker.admit(HOST)
    breaker.failed(HOST)
    clock.advance(29)

    with pytest.raises(HostResting):
        breaker.admit(HOST)


def test_the_one_that_never_reports_blocks_nothing_for_good(breaker, clock):
    fail(breaker, 3)
    clock.advance(30)
    breaker.admit(HOST)
    clock.advance(30)

    breaker.admit(HOST)


def test_only_so_many_hosts_are_remembered(clock):
    breaker = Breaker(max_hosts=2, monotonic=clock.monotonic)
    fail(breaker, 3, "first.example.com")
    fail(breaker, 3, "second.example.com")
    fail(breaker, 3, "third.example.com")

    breaker.admit("first.example.com")
    with pytest.raises(HostResting):
        breaker.admit("third.example.com")


def test_of_many_threads_one_goes_first(breaker, clock):
    fail(breaker, 3)
    clock.advance(30)

    def is_admitted(_):
        try:
            breaker.admit(HOST)
        except HostResting:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        admitted = list(threads.map(is_admitted, range(64)))

    assert admitted.count(True) == 1


# --- in the door ------------------------------------------------------------------


@pytest.fixture
def closed_port():
    with HostileServer(says()) as server:
        pass
    return server


def test_a_host_that_refuses_three_times_in_a_row_gets_a_rest(breaker, closed_port):
    with Door(LAB, breaker=breaker) as door:
        for _ in range(3):
            with pytest.raises(HostUnreachable, match="refused"):
                door.get(closed_port)
        with pytest.raises(HostResting) as caught:
            door.get(closed_port)

        assert caught.value.retry_after == pytest.approx(30)
        assert len(door.resolve.asked) == 3


def test_an_answer_ends_the_count(breaker):
    act = [hangs_up, hangs_up, says(), hangs_up, hangs_up, says()]
    with Door(LAB, breaker=breaker) as door, HostileServer(*act) as server:
        for _ in range(2):
            for _ in range(2):
                with pytest.raises(HostUnreachable):
                    door.post(server)
            door.post(server)


def test_a_server_error_neither_counts_nor_ends_the_count(breaker):
    act = [hangs_up, hangs_up, says(status=500, close=True), hangs_up, says()]
    with Door(LAB, breaker=breaker) as door, HostileServer(*act) as server:
        for _ in range(2):
            with pytest.raises(HostUnreachable):
                door.post(server)
        assert door.post(server).status == 500
        with pytest.raises(HostUnreachable):
            door.post(server)
        with pytest.raises(HostResting):
            door.post(server)


def test_a_host_that_had_no_fair_chance_is_not_blamed(breaker):
    with Door(LAB, breaker=breaker) as door, HostileServer(drips(b"")) as server:
        for _ in range(4):
            with pytest.raises(HostUnreachable, match="in time"):
                door.get(server, seconds=0.1)


def test_a_rest_is_for_one_port_of_a_host(breaker, closed_port):
    with Door(LAB, breaker=breaker) as door, HostileServer(says()) as server:
        for _ in range(3):
            with pytest.raises(HostUnreachable):
                door.get(closed_port)

        assert door.get(server).status == 200
