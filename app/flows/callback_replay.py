"""Replay a callback: the browser that asks twice gets the first answer again.

Reloads, restored tabs and service workers send a callback twice, at the same moment or
later, and show the second answer, although the first one signed the person in.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from .errors import StorageFailed
from .ports import CallbackAnswers

log = logging.getLogger(__name__)

LOOK_AGAIN = 0.1
"""Seconds between two looks for the answer of a request that is under way."""

MOST_LOOKS = 150
"""Fifteen seconds, as long as a reservation lasts: a callback takes less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayCallback:
    """The first answers of callbacks, for two minutes, by state and flow secret."""

    answers: CallbackAnswers
    clock: Callable[[], float]
    sleep: Callable[[float], None] = time.sleep

    def first_answer(self, state: str, secret: str) -> str | None:
        """Return the answer that this callback got before; None when it is the first.

        Waits while another request handles the same callback. The caller of the first
        one calls `keep`.
        """
        if not state or not secret:
            return None
        for _ in range(MOST_LOOKS):
            turn = self.answers.reserve(state, secret, now=self.clock())
            if turn == "replay":
                return self.answers.read(state, secret, now=self.clock())
            if turn != "waits":
                break
            self.sleep(LOOK_AGAIN)
        return None

    def keep(self, state: str, secret: str, answer: str) -> None:
        """Keep the first answer.

        The login is over by now, so a failure to store is logged and not raised.
        """
        try:
            self.answers.keep(state, secret, answer, now=self.clock())
        except StorageFailed:
            log.exception("a callback's answer was not kept: no second one gets it")
