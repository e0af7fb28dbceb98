"""ReplayCallback: how many requests wait for the first answer of one callback."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from app.flows.callback.replay import MOST_WAITING, ReplayCallback
from app.flows.errors import TooManyRequests


class Answers:
    """A callback that another request handles; it is answered after one look."""

    def __init__(self) -> None:
        self.looks = 0

    def look(self, state, secret, *, now):
        self.looks += 1
        return "waits" if self.looks == 1 else "replay"

    def keep(self, state, secret, answer, *, now):
        raise AssertionError("it is not the first")

    def read(self, state, secret, *, now):
        return "the first answer"


@pytest.fixture
def replay():
    return ReplayCallback(answers=Answers(), clock=lambda: 0.0, sleep=lambda _: None)


def test_first_answer_is_refused_while_as_many_wait_for_this_callback(replay):
    with ExitStack() as waiting:
        for _ in range(MOST_WAITING):
            waiting.enter_context(replay.waiting.hold("state"))

        with pytest.raises(TooManyRequests):
            replay.first_answer("state", "secret")


def test_first_answer_waits_beside_those_of_other_callbacks(replay):
    with ExitStack() as waiting:
        for _ in range(MOST_WAITING):
            waiting.enter_context(replay.waiting.hold("another state"))

        assert replay.first_answer("state", "secret") == "the first answer"
