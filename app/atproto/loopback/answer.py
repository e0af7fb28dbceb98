"""The answer that a redirect listener waits for: what brings it, and who gets it.

One request carries our `state`; it is taken once, however many race, and its browser
waits until the program has judged it. No sockets here.
"""

from __future__ import annotations

import hmac
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import parse_qsl

from ..errors import AccessDenied, CallbackMalformed
from .page import DECLINED, FAILED, SIGNED_IN, Ending

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Result = TypeVar("Result")
Parameters = list[tuple[str, str]]

MOST_PARAMETERS: Final = 50
EARLY_BY: Final = 5.0
"""Seconds that a browser may be back before it is expected."""

PAGE_WITHIN: Final = 5.0
"""Seconds that the browser has to take its page before the program goes on."""


class AnswerTimeout(TimeoutError):
    """Nobody came back from the authorization server in time."""


class Visit:
    """The browser that brought the answer, waiting for its page."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._ending: Future[Ending] = Future()
        self._shown = threading.Event()

    def judged_by(self, judge: Callable[[Sequence[tuple[str, str]]], Result]) -> Result:
        """Return what `judge` makes of the answer; the browser hears how it went."""
        ending = FAILED
        try:
            result = judge(self._parameters)
            ending = SIGNED_IN
            return result
        except AccessDenied:
            ending = DECLINED
            raise
        finally:
            self._ending.set_result(ending)
            self._shown.wait(PAGE_WITHIN)

    def shows(self, send: Callable[[Ending], None]) -> None:
        """Wait for the judgement and send it to the browser."""
        try:
            send(self._ending.result())
        finally:
            self._shown.set()


class Desk:
    """Where the one answer is handed over.

    A browser may be back before the program has begun to wait: it is kept for a moment.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._state: str | None = None
        self._is_over = False
        self._visit: Future[Visit] = Future()

    def expect(self, state: str, *, seconds: float) -> Visit:
        """Wait for the answer with this state.

        Raises:
            AnswerTimeout: it did not come.
        """
        with self._changed:
            self._state = state
            self._changed.notify_all()
        try:
            return self._visit.result(max(seconds, 0.0))
        except TimeoutError:
            self.close()
            if self._visit.done():  # at the last moment
                return self._visit.result()
            raise AnswerTimeout("nobody came back in time") from None

    def take(self, query: str) -> Visit | None:
        """Take the answer if this is the one; however many race, one is."""
        try:
            parameters = parse_answer(query)
        except CallbackMalformed:
            return None
        with self._changed:
            self._changed.wait_for(self._is_decided, EARLY_BY)
            if self._is_over or self._state is None:
                return None
            if not has_state(parameters, self._state):
                return None
            self._is_over = True
            visit = Visit(parameters)
            self._visit.set_result(visit)
        return visit

    def close(self) -> None:
        """Take nothing any more."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def _is_decided(self) -> bool:
        return self._is_over or self._state is not None


def parse_answer(query: str) -> Parameters:
    """Return the parameters of a query.

    Raises:
        CallbackMalformed: more of them than an answer has.
    """
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise CallbackMalformed("the answer has too many parameters") from None


def has_state(parameters: Parameters, state: str) -> bool:
    """Tell whether an answer carries this state and no other (requirement 9.25)."""
    given = [value for name, value in parameters if name == "state"]
    return len(given) == 1 and hmac.compare_digest(given[0].encode(), state.encode())
