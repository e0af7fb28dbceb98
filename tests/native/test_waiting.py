"""Retries and waiting on a fake clock: pauses, the end of a login, sleep."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.native.clock import Clock, Expiry, SleepWatch
from app.native.errors import (
    LoginDenied,
    LoginExpired,
    LoginRefused,
    ServerUnreachable,
)
from app.native.outcome import Backoff, OutcomeFetcher
from app.native.records import PendingLogin
from app.native.transports.connection import Cancelled, Connection
from app.native.transports.transport import Claim, Completed, Denied, Expired, Pending
from app.native.waiting import Waiter, WaitOptions

CLAIM = Claim(server_url="https://auth.example.org", session_id="s", verifier="v")
DONE = Completed(token="t", did="did:plc:x", handle=None, username="x", expires_in=9)


class Time:
    """Two clocks that the test moves; waiting moves them too."""

    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.monotonic = 50.0
        self.pauses: list[float] = []

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds

    def sleeps(self, seconds: float) -> None:
        self.wall += seconds

    def clock(self) -> Clock:
        return FakeClock(lambda: self.wall, lambda: self.monotonic, self)


@dataclass(frozen=True, slots=True)
class FakeClock(Clock):
    time: Time = field(default_factory=Time)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if not event.is_set():
            self.time.pauses.append(seconds)
            self.time.passes(seconds)
        return event.is_set()


class FakeTransport:
    """Returns or raises its answers in order, and repeats the last one."""

    def __init__(self, time: Time, *answers: Any, takes: float = 1.0) -> None:
        self.time = time
        self.answers = list(answers)
        self.takes = takes
        self.asked: list[bool] = []

    def ask(self, _claim: Claim, connection: Connection, *, wait: bool) -> Any:
        assert len(self.asked) < 5000, "it asks without end"
        self.asked.append(wait)
        self.time.passes(self.takes)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer = answer(connection)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def time() -> Time:
    return Time()


def fetch(time: Time, *answers: Any, lasts: int = 1800) -> tuple[Any, FakeTransport]:
    transport = FakeTransport(time, *answers)
    backoff = Backoff(first=1.0, longest=30.0, random=lambda: 1.0)
    login = PendingLogin(
        login_id="l",
        server_url=CLAIM.server_url,
        verifier="v",
        started_at=int(time.wall),
        expires_at=int(time.wall) + lasts,
    )
    clock = time.clock()
    fetcher = OutcomeFetcher(transport, backoff)
    expiry = Expiry.of(login, clock)
    try:
        return fetcher.fetch(CLAIM, Connection(clock), expiry), transport
    except Exception as error:
        error.transport = transport
        raise


@pytest.mark.parametrize("outcome", [DONE, Denied(), Expired()])
def test_fetch_with_an_outcome_returns_it_without_a_pause(time, outcome):
    assert fetch(time, outcome)[0] == outcome
    assert time.pauses == []


def test_fetch_with_unreachable_service_doubles_its_pauses(time):
    down = ServerUnreachable("down")

    fetch(time, *[down] * 8, DONE)

    assert time.pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_fetch_after_an_answer_starts_the_pauses_again(time):
    def heard_then_dropped(connection):
        connection.note_answer()
        return ServerUnreachable("dropped")

    down = ServerUnreachable("down")

    fetch(time, down, down, heard_then_dropped, down, DONE)

    assert time.pauses == [1.0, 2.0, 1.0, 2.0]


def test_fetch_with_pending_pauses_as_long_as_it_says(time):
    fetch(time, Pending(2.0), Pending(2.0), DONE)

    assert time.pauses == [2.0, 2.0]


def test_fetch_with_retry_after_pauses_at_least_that_long(time):
    fetch(time, ServerUnreachable("busy", retry_after=60.0), DONE)

    assert time.pauses == [60.25]


def test_fetch_with_passing_refusal_asks_again(time):
    passing = LoginRefused("too_many_requests", retry_after=9.0, is_passing=True)

    assert fetch(time, passing, DONE)[0] == DONE
    assert time.pauses == [9.25]


def test_fetch_with_final_refusal_raises_it(time):
    with pytest.raises(LoginRefused):
        fetch(time, LoginRefused("wrong_verifier"), DONE)


def test_fetch_with_login_expired_refusal_returns_expired(time):
    assert fetch(time, LoginRefused("login_expired"), DONE)[0] == Expired()


def test_fetch_with_unreachable_service_raises_login_expired_at_the_end(time):
    down = ServerUnreachable("down")

    with pytest.raises(LoginExpired) as expired:
        fetch(time, down, lasts=600)

    assert expired.value.__cause__ is down
    assert time.monotonic <= 50 + 600 + 2
    assert expired.value.transport.asked[-1] is False


def test_fetch_with_long_retry_after_ends_with_the_login(time):
    with pytest.raises(LoginExpired):
        fetch(time, ServerUnreachable("busy", retry_after=86_400.0), lasts=600)

    assert time.wall <= 1_000_000 + 602


def test_fetch_after_the_end_asks_once_more_without_waiting(time):
    """It may have been approved in the last second, or our clock may be wrong."""

    def asleep(_line):
        time.sleeps(7200)
        return ServerUnreachable("dropped")

    outcome, transport = fetch(time, asleep, DONE)

    assert outcome == DONE
    assert transport.asked == [True, False]


def test_fetch_with_wall_clock_set_back_ends_by_the_monotonic_clock(time):
    """Each clock alone ends the login."""

    def set_back(_line):
        time.wall -= 100_000
        return ServerUnreachable("down")

    with pytest.raises(LoginExpired):
        fetch(time, set_back, ServerUnreachable("down"), lasts=600)

    assert time.monotonic <= 50 + 602


def test_fetch_with_cancelled_connection_raises_cancelled(time):
    def cut(connection):
        connection.cancel()
        return ServerUnreachable("closed")

    with pytest.raises(Cancelled) as ended:
        fetch(time, cut, DONE)

    assert len(ended.value.transport.asked) == 1
    assert time.pauses == []


def test_reopen_and_cancel_close_what_is_open(time):
    closed = []
    connection = Connection(time.clock())

    with connection.closed_by(lambda: closed.append(1)):
        connection.reopen()
    connection.reopen()
    with connection.closed_by(lambda: closed.append(2)):
        connection.cancel()

    assert closed == [1, 2]
    with pytest.raises(Cancelled), connection.closed_by(lambda: closed.append(3)):
        pass


def test_sleep_watch_reports_a_sleep_once(time):
    watch = SleepWatch(time.clock())
    time.passes(100)
    assert not watch.has_slept()

    time.sleeps(60)

    assert watch.has_slept()
    assert not watch.has_slept()


def test_wait_after_sleep_reopens_the_connection(time):
    """The connection is dead, and its end would be noticed a minute later only."""
    clock = time.clock()
    waiter, closed, looks = Waiter("s", clock, look_every=0.01), [], []
    expiry = Expiry(clock, time.wall + 1800, time.monotonic + 1800)

    def sleeps_and_then_ends(_waiting):
        looks.append(list(closed))
        if closed or len(looks) == 4:
            waiter.end(LoginDenied())
        time.sleeps(60)

    with (
        waiter.connection.closed_by(lambda: closed.append(1)),
        pytest.raises(LoginDenied),
    ):
        waiter.wait(
            lambda: None,
            options=WaitOptions(on_wait=sleeps_and_then_ends),
            expiry=expiry,
        )

    assert looks[-1] == [1]


def test_wait_reopens_a_connection_that_slept_before_the_wait_began(time):
    """The second thread may have connected before the caller's thread waits."""
    clock = time.clock()
    waiter, closed = Waiter("s", clock, look_every=0.01), []
    expiry = Expiry(clock, time.wall + 1800, time.monotonic + 1800)
    time.sleeps(60)

    with (
        waiter.connection.closed_by(lambda: closed.append(1)),
        pytest.raises(LoginDenied),
    ):
        waiter.wait(
            lambda: None,
            options=WaitOptions(on_wait=lambda _waiting: waiter.end(LoginDenied())),
            expiry=expiry,
        )

    assert closed == [1, 1]  # for the sleep, and at the end


def test_wait_with_endless_connection_raises_login_expired(time):
    """The connection stays open, and brings no outcome."""
    clock = time.clock()
    expiry = Expiry(clock, time.wall + 1800, time.monotonic + 1800)
    waits = []

    def passes(waiting):
        assert len(waits) < 5, "it waits without end"
        waits.append(waiting)
        time.passes(1800)

    with pytest.raises(LoginExpired):
        Waiter("s", clock, look_every=0.01).wait(
            lambda: None, options=WaitOptions(on_wait=passes), expiry=expiry
        )


def test_wait_after_sleep_past_the_end_still_returns_the_outcome(time):
    clock = time.clock()
    waiter = Waiter("s", clock)
    expiry = Expiry(clock, time.wall + 1800, time.monotonic + 1800)

    def sleeps_and_then_hears(_waiting):
        time.sleeps(40_000)
        waiter.start(lambda _line: DONE)

    options = WaitOptions(on_wait=sleeps_and_then_hears)

    assert waiter.wait(lambda: None, options=options, expiry=expiry) == DONE


@given(
    st.integers(0, 10_000),
    st.none() | st.floats(0, 100_000),
    st.floats(0, 1),
)
def test_backoff_is_bounded_and_at_least_retry_after(failures, asked, random):
    delay = Backoff(first=0.5, longest=30.0, random=lambda: random).delay(
        failures, at_least=asked
    )

    assert 0.25 <= delay <= 30.0 or delay <= (asked or 0) + 7.5
    assert delay >= (asked or 0)


def test_backoff_has_jitter():
    backoff = Backoff()

    assert len({backoff.delay(5) for _ in range(20)}) > 10
