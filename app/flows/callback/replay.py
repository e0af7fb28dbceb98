"""Replay a callback: the browser that asks twice gets the first answer again.

Reloads, restored tabs and service workers send a callback twice, at the same moment or
later, and show the second answer, although the first one signed the person in.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from app.flows.errors import StorageFailed
from app.flows.limits.concurrency import ConcurrencyLimit
from app.flows.ports import CallbackAnswers, CallbackTurn

log = logging.getLogger(__name__)

LOOK_AGAIN = 0.1
"""Seconds between two looks for the answer of a request that is under way."""

MOST_LOOKS = 150
"""Fifteen seconds, as long as a reservation lasts: a callback takes less."""

MOST_WAITING = 4
"""Requests of one login that wait at once: each of them asks the database all the time,
and a stranger's own slow host decides for how long."""


def _waiting() -> ConcurrencyLimit:
    return ConcurrencyLimit("service", per_key=MOST_WAITING, retry_after=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayCallback:
    """The first answers of callbacks, for two minutes, by state and flow secret."""

    answers: CallbackAnswers
    clock: Callable[[], float]
    sleep: Callable[[float], None] = time.sleep
    waiting: ConcurrencyLimit = field(default_factory=_waiting)

    def first_answer(self, state: str, secret: str) -> str | None:
        """Return the answer that this callback got before, or None.

        For a callback whose state is unknown. Waits while another request, the one
        that took the auth request, handles the same callback; that one calls `keep`.

        Raises:
            TooManyRequests: too many requests wait for this callback's answer.
        """
        if not state or not secret:
            return None
        turn = self.answers.look(state, secret, now=self.clock())
        if turn == "waits":
            with self.waiting.hold(state):
                turn = self._next_turn(state, secret)
        if turn != "replay":
            return None
        return self.answers.read(state, secret, now=self.clock())

    def _next_turn(self, state: str, secret: str) -> CallbackTurn:
        """Return what follows the wait; `waits` when it took too long."""
        turn: CallbackTurn = "waits"
        for _ in range(MOST_LOOKS):
            self.sleep(LOOK_AGAIN)
            turn = self.answers.look(state, secret, now=self.clock())
            if turn != "waits":
                break
        return turn

    def keep(self, state: str, secret: str, answer: str) -> None:
        """Keep the first answer.

        The login is over by now, so a failure to store is logged and not raised.
        """
        try:
            self.answers.keep(state, secret, answer, now=self.clock())
        except StorageFailed as error:
            log.warning("a callback's answer is not kept for a second one: %s", error)
