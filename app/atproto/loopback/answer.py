"""Hands the authorization response from the loopback server to the waiting program.

One request carries our `state`. It is taken once, also when several requests race, and
its browser waits until the program has checked the response. No sockets here.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final, TypeVar
from urllib.parse import parse_qsl

from ..errors import AccessDenied, CallbackMalformed
from .page import DECLINED, FAILED, SIGNED_IN, Outcome

Result = TypeVar("Result")
Parameters = list[tuple[str, str]]

MOST_PARAMETERS: Final = 50
EARLY_BY: Final = 5.0
"""Seconds that a browser may come back before `expect` is called."""

PAGE_WITHIN: Final = 5.0
"""Seconds that the browser has to read its page before the program continues."""


class AnswerTimeout(TimeoutError):
    """The browser did not come back from the authorization server in time."""


class Visit:
    """The request of the browser with the answer, which waits for its page."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._outcome: Future[Outcome] = Future()
        self._shown = threading.Event()

    def judged_by(self, judge: Callable[[Sequence[tuple[str, str]]], Result]) -> Result:
        """Return the result of `judge` for the answer, and tell the browser."""
        outcome = FAILED
        try:
            result = judge(self._parameters)
            outcome = SIGNED_IN
            return result
        except AccessDenied:
            outcome = DECLINED
            raise
        finally:
            self._outcome.set_result(outcome)
            self._shown.wait(PAGE_WITHIN)

    def shows(self, send: Callable[[Outcome], None]) -> None:
        """Wait for the result and send its page to the browser."""
        try:
            send(self._outcome.result())
        finally:
            self._shown.set()


class Desk:
    """Passes one answer from the server's threads to the program.

    A browser that comes back before the program waits is kept for EARLY_BY seconds.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._state: str | None = None
        self._is_over = False
        self._visit: Future[Visit] = Future()

    def expect(self, state: str, *, seconds: float) -> Visit:
        """Wait for the answer with this state.

        Raises:
            AnswerTimeout: no answer came.
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
            raise AnswerTimeout("the browser did not come back in time") from None

    def take(self, query: str) -> Visit | None:
        """Take the answer if it has our state; of concurrent calls, one succeeds."""
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
        """Refuse every later answer."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def _is_decided(self) -> bool:
        return self._is_over or self._state is not None


def parse_answer(query: str) -> Parameters:
    """Return the parameters of a query.

    Raises:
        CallbackMalformed: more than MOST_PARAMETERS.
    """
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise CallbackMalformed("the answer has too many parameters") from None


def has_state(parameters: Parameters, state: str) -> bool:
    """Tell whether an answer carries this state and no other (requirement 9.25)."""
    given = [value for name, value in parameters if name == "state"]
    return len(given) == 1 and hmac.compare_digest(given[0].encode(), state.encode())
