"""A request that waits: when it looks, what it says, and how it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import SimpleNamespace

import pytest

from app.flows.errors import StorageFailed
from app.flows.native.outcome import NativeOutcome
from app.tokens.errors import SigningKeyMissing
from app.web.sse import COMMENT, RETRY, Awaiting

PENDING = NativeOutcome(status="pending", expires_in=1800)
DENIED = NativeOutcome(status="denied")
PATIENCE = 10
ADDRESS = "192.0.2.1"
WATCHED = SimpleNamespace(decided=None)


class Login:
    """Answers look by look, the last one for ever."""

    def __init__(self, *answers: NativeOutcome | Exception) -> None:
        self.answers = list(answers)
        self.looks = 0
        self.is_ending = False
        self.is_watched = False
        self.held: list[str] = []

    @contextmanager
    def admit(self, address: str) -> Iterator[None]:
        self.held.append(address)
        try:
            yield
        finally:
            self.held.remove(address)

    def watch(
        self, _session_id: str, _wake: Callable[[], None]
    ) -> AbstractContextManager[SimpleNamespace]:
        self.is_watched = True
        return nullcontext(WATCHED)

    def look(self, session_id: str, *, code_verifier: str | None) -> NativeOutcome:
        assert (session_id, code_verifier) == ("secret", "verifier")
        assert self.is_watched, "a decision after this look would wake no stream"
        self.looks += 1
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def look_again(
        self, watched: SimpleNamespace, session_id: str, *, code_verifier: str | None
    ) -> NativeOutcome:
        assert watched is WATCHED
        assert self.looks
        return self.look(session_id, code_verifier=code_verifier)

    def awaiting(self) -> Awaiting:
        return Awaiting(self, "secret", code_verifier="verifier")


def events(awaiting: Awaiting, *, heartbeat: float) -> Generator[bytes, None, None]:
    """Return what is sent: what comes once the stream has its place."""
    stream = awaiting.events(ADDRESS, heartbeat=heartbeat)
    assert next(stream) == b""
    return stream


def test_events_of_a_decided_login_are_one_answer():
    said = list(events(Login(DENIED).awaiting(), heartbeat=PATIENCE))

    document = b'data: {"status":"denied"}'
    assert said == [RETRY + b"id: denied\nevent: denied\n" + document + b"\n\n"]


def test_events_send_a_heartbeat_comment_while_pending():
    login = Login(PENDING, PENDING, PENDING, DENIED)

    said = list(events(login.awaiting(), heartbeat=0.001))

    assert said[1:3] == [COMMENT, COMMENT]
    assert b"event: denied" in said[3]
    assert len(said) == 4


def test_wake_without_a_change_sends_no_event():
    login = Login(PENDING, PENDING, DENIED)
    awaiting = login.awaiting()
    stream = events(awaiting, heartbeat=PATIENCE)
    next(stream)
    awaiting.wake()
    threading.Timer(0.05, awaiting.wake).start()

    assert b"event: denied" in next(stream)
    assert login.looks == 3


def test_a_wake_before_the_first_sleep_is_not_lost():
    awaiting = Login(PENDING, DENIED).awaiting()
    awaiting.wake()

    said = list(events(awaiting, heartbeat=PATIENCE))

    assert len(said) == 2


def test_await_ends_with_its_login():
    ends_at_once = NativeOutcome(status="pending", expires_in=0)
    login = Login(ends_at_once, NativeOutcome(status="expired"))

    said = list(events(login.awaiting(), heartbeat=PATIENCE))

    assert b"event: expired" in said[-1]


@pytest.mark.parametrize(
    "error", [StorageFailed("gone"), SigningKeyMissing("platform")]
)
def test_storage_failure_ends_the_stream_without_an_answer(error):
    login = Login(PENDING, error)

    said = list(events(login.awaiting(), heartbeat=0.001))

    assert len(said) == 1
    assert b"event: pending" in said[0]


def test_a_stream_that_is_closed_gives_its_place_back():
    login = Login(PENDING)
    stream = events(login.awaiting(), heartbeat=PATIENCE)
    next(stream)
    assert login.held == [ADDRESS]

    stream.close()

    assert login.held == []


def test_refusal_is_raised_before_the_first_event():
    login = Login(StorageFailed("gone"))

    with pytest.raises(StorageFailed):
        next(login.awaiting().events(ADDRESS, heartbeat=PATIENCE))

    assert login.held == []


def test_unexpected_exception_is_raised_from_events():
    with pytest.raises(ZeroDivisionError):
        list(events(Login(PENDING, ZeroDivisionError()).awaiting(), heartbeat=0.001))


def test_a_process_that_stops_ends_its_streams_without_an_answer():
    login = Login(PENDING, DENIED)
    awaiting = login.awaiting()
    stream = events(awaiting, heartbeat=PATIENCE)
    next(stream)
    login.is_ending = True
    awaiting.wake()

    assert list(stream) == []
    assert login.looks == 1


def test_poll_returns_the_answer_or_pending_after_its_seconds():
    assert Login(DENIED).awaiting().poll(ADDRESS, seconds=0) == DENIED
    assert Login(PENDING).awaiting().poll(ADDRESS, seconds=0) == PENDING
    assert Login(PENDING).awaiting().poll(ADDRESS, seconds=0.01) == PENDING

    woken = Login(PENDING, DENIED).awaiting()
    woken.wake()
    assert woken.poll(ADDRESS, seconds=PATIENCE) == DENIED


def test_poll_in_a_stopping_process_returns_pending():
    login = Login(PENDING)
    login.is_ending = True

    assert login.awaiting().poll(ADDRESS, seconds=PATIENCE) == PENDING


def test_a_stream_that_comes_while_the_process_stops_ends_at_once():
    """It came after the process had woken its streams: nothing wakes it again."""
    login = Login(PENDING)
    login.is_ending = True
    stream = events(login.awaiting(), heartbeat=1_000)
    said: list[bytes] = []
    reader = threading.Thread(target=said.extend, args=(stream,), daemon=True)
    reader.start()
    reader.join(PATIENCE)

    assert not reader.is_alive()
    assert len(said) == 1
