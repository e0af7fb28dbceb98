"""The watchdog of a worker: when it reports a stuck greenlet, and replacements."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, GeneratorType

import pytest

from app.serving.watchdog import PATIENCE, Replacements, Watchdog, busy_clock


def request() -> Iterator[None]:
    yield


def greenlet_in(module: str) -> GeneratorType[None, None, None]:
    """Return what has a first frame of its own, as a greenlet has, in a module."""
    made = FunctionType(request.__code__, {"__name__": module})()
    next(made)
    return made


class Worker:
    """What the watchdog watches: a greenlet and a clock, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.greenlet = greenlet_in("app.web")
        self.watchdog = Watchdog(
            frame=lambda: self.greenlet.gi_frame, clock=lambda: self.now
        )

    def later(self, seconds: float) -> str | None:
        self.now += seconds
        return self.watchdog.stuck()


@pytest.fixture
def worker() -> Worker:
    worker = Worker()
    assert worker.later(0.0) is None
    return worker


def test_one_greenlet_for_two_seconds_without_a_tick_is_stuck(worker: Worker):
    assert worker.later(PATIENCE / 2) is None

    assert "in request" in (worker.later(PATIENCE / 2) or "")


def test_a_greenlet_that_lets_the_hub_run_is_not_stuck(worker: Worker):
    worker.later(PATIENCE / 2)
    worker.watchdog.tick()

    assert worker.later(PATIENCE / 2) is None


def test_many_greenlets_in_turn_are_not_stuck(worker: Worker):
    for _ in range(5):
        worker.greenlet = greenlet_in("app.web")
        assert worker.later(PATIENCE) is None


def test_a_greenlet_that_kept_the_interpreter_lock_is_noticed_afterwards(
    worker: Worker,
):
    assert worker.later(12.0) is not None


def test_the_hub_that_waits_for_events_is_not_stuck(worker: Worker):
    worker.greenlet = greenlet_in("gevent.hub")
    worker.later(0.0)

    assert worker.later(PATIENCE) is None


def test_replacements_are_limited_until_the_replaced_worker_has_ended():
    replacements = Replacements(limit=1)

    assert replacements.begin(1)
    assert not replacements.begin(2)
    assert not replacements.end(2)
    assert replacements.end(1)
    assert replacements.begin(2)


def test_busy_clock_stands_still_while_the_thread_waits_for_a_core(tmp_path: Path):
    schedstat = tmp_path / "schedstat"
    schedstat.write_text("5000000000 0 7\n")
    clock = busy_clock(schedstat)
    before = clock()

    schedstat.write_text("5000000000 3600000000000 9\n")

    assert clock() < before - 3000


def test_busy_clock_runs_when_no_file_can_be_opened(tmp_path: Path):
    schedstat = tmp_path / "schedstat"
    schedstat.write_text("5000000000 0 7\n")
    clock = busy_clock(schedstat)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        now = clock()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert now <= time.monotonic()


def test_busy_clock_without_scheduler_statistics_is_the_monotonic_clock(tmp_path: Path):
    assert busy_clock(tmp_path / "none") is time.monotonic
