"""A request that waits: when it looks, what it says, and how it ends."""

from __future__ import annotations

import threading

import pytest

from app.blueprints.awaiting import COMMENT, RETRY, Awaiting
from app.flows.errors import StorageFailed
from app.flows.native import NativeOutcome
from app.tokens.errors import SigningKeyMissing

PENDING = NativeOutcome(status="pending", expires_in=1800)
DENIED = NativeOutcome(status="denied")
PATIENCE = 10


class Login:
    """Answers look by look, the last one for ever."""

    def __init__(self, *answers: NativeOutcome | Exception) -> None:
        self.answers = list(answers)
        self.looks = 0
        self.is_ending = False

    def look(self) -> NativeOutcome:
        self.looks += 1
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def awaiting(self) -> Awaiting:
        return Awaiting(look=self.look, is_ending=lambda: self.is_ending)


def test_an_answer_that_is_there_is_all_there_is_to_say():
    said = list(Login(DENIED).awaiting().events(DENIED, heartbeat=PATIENCE))

    document = b'data: {"status":"denied"}'
    assert said == [RETRY + b"id: denied\nevent: denied\n" + document + b"\n\n"]


def test_silence_is_filled_with_comments_and_looked_through():
    login = Login(PENDING, PENDING, DENIED)

    said = list(login.awaiting().events(PENDING, heartbeat=0.001))

    assert said[1:3] == [COMMENT, COMMENT]
    assert b"event: denied" in said[3]
    assert len(said) == 4


def test_being_woken_for_nothing_says_nothing():
    login = Login(PENDING, DENIED)
    awaiting = login.awaiting()
    stream = awaiting.events(PENDING, heartbeat=PATIENCE)
    next(stream)
    awaiting.wake()
    threading.Timer(0.05, awaiting.wake).start()

    assert b"event: denied" in next(stream)
    assert login.looks == 2


def test_a_wake_before_the_first_sleep_is_not_lost():
    awaiting = Login(DENIED).awaiting()
    awaiting.wake()

    said = list(awaiting.events(PENDING, heartbeat=PATIENCE))

    assert len(said) == 2


def test_nobody_sleeps_past_the_end_of_a_login():
    ends_at_once = NativeOutcome(status="pending", expires_in=0)
    login = Login(NativeOutcome(status="expired"))

    said = list(login.awaiting().events(ends_at_once, heartbeat=PATIENCE))

    assert b"event: expired" in said[-1]


@pytest.mark.parametrize(
    "error", [StorageFailed("gone"), SigningKeyMissing("platform")]
)
def test_trouble_of_ours_ends_a_stream_without_an_answer(error):
    login = Login(error)

    said = list(login.awaiting().events(PENDING, heartbeat=0.001))

    assert len(said) == 1
    assert b"event: pending" in said[0]


def test_a_mistake_of_ours_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        list(Login(ZeroDivisionError()).awaiting().events(PENDING, heartbeat=0.001))


def test_a_process_that_stops_ends_its_streams_without_an_answer():
    login = Login(DENIED)
    awaiting = login.awaiting()
    stream = awaiting.events(PENDING, heartbeat=PATIENCE)
    next(stream)
    login.is_ending = True
    awaiting.wake()

    assert list(stream) == []
    assert login.looks == 0


def test_a_long_poll_ends_with_the_answer_or_with_its_time():
    assert Login(DENIED).awaiting().until(PENDING, seconds=0) == PENDING
    assert Login(PENDING).awaiting().until(PENDING, seconds=0.01) == PENDING

    woken = Login(DENIED).awaiting()
    woken.wake()
    assert woken.until(PENDING, seconds=PATIENCE) == DENIED


def test_a_process_that_stops_answers_its_long_polls():
    login = Login(PENDING)
    login.is_ending = True

    assert login.awaiting().until(PENDING, seconds=PATIENCE) == PENDING


def test_a_stream_that_comes_while_the_process_stops_ends_at_once():
    """Everybody was woken before it came: nobody would wake it any more."""
    login = Login(PENDING)
    login.is_ending = True
    events = login.awaiting().events(PENDING, heartbeat=1_000)
    said: list[bytes] = []
    reader = threading.Thread(target=said.extend, args=(events,), daemon=True)
    reader.start()
    reader.join(PATIENCE)

    assert not reader.is_alive()
    assert len(said) == 1
