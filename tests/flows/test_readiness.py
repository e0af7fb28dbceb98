"""Readiness: the checks of /readyz, run once a second at most."""

from __future__ import annotations

import threading

import pytest

from app.flows.errors import StorageUnavailable
from app.flows.readiness import Readiness
from tests.fakes.clock import FakeClock


class Check:
    """A check that counts its runs and fails while it is told to."""

    def __init__(self) -> None:
        self.runs = 0
        self.trouble: Exception | None = None

    def __call__(self) -> None:
        self.runs += 1
        if self.trouble is not None:
            raise self.trouble


@pytest.fixture
def check() -> Check:
    return Check()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def readiness(check: Check, clock: FakeClock) -> Readiness:
    return Readiness(checks={"database": check}, clock=clock)


def test_states_within_a_second_run_the_checks_once(readiness, check, clock):
    for _ in range(100):
        readiness.states()

    assert check.runs == 1
    clock.advance(1)
    readiness.states()
    assert check.runs == 2


def test_states_after_a_failure_and_a_recovery(readiness, check, clock):
    assert readiness.states() == {"database": "ok"}
    check.trouble = StorageUnavailable("gone")
    clock.advance(1)
    assert readiness.states() == {"database": "failing"}
    check.trouble = None
    clock.advance(1)
    assert readiness.states() == {"database": "ok"}


def test_an_outage_is_logged_once_and_its_end_once(readiness, check, clock, caplog):
    check.trouble = StorageUnavailable("no file")
    for _ in range(5):
        readiness.states()
        clock.advance(1)
    check.trouble = None
    for _ in range(5):
        readiness.states()
        clock.advance(1)

    assert [record.getMessage() for record in caplog.records] == [
        "not ready: database: no file",
        "ready again: database",
    ]


def test_part_that_needs_a_failing_one_fails_without_being_asked(check, clock):
    """Each check of a database that is down takes seconds."""
    check.trouble = StorageUnavailable("down")
    schema = Check()
    readiness = Readiness(
        checks={"database": check, "schema": schema},
        needs={"schema": "database"},
        clock=clock,
    )

    assert readiness.states() == {"database": "failing", "schema": "failing"}
    assert schema.runs == 0


def test_states_while_a_check_hangs_are_the_last_ones(check, clock):
    arrived, go_on = threading.Event(), threading.Event()
    readiness = Readiness(checks={"database": check}, clock=clock)
    readiness.states()
    readiness.checks = {"database": lambda: (arrived.set(), go_on.wait(20))}
    clock.advance(1)
    asking = threading.Thread(target=readiness.states)
    asking.start()
    assert arrived.wait(20)

    assert readiness.states() == {"database": "ok"}

    go_on.set()
    asking.join(20)
