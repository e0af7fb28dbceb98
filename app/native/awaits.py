"""Every login that somebody in this process awaits, and how each may be ended.

An await is two threads. The caller's waits for an outcome or for somebody who ends the
wait, whichever is first, and never on a socket; a thread of its own speaks with the
service. What that one still says afterwards, nobody hears.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from .connection import Line, LineCut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .clock import Clock
    from .errors import LoginEnded, NativeError
    from .transport import Outcome

REMEMBERED: Final = 64
"""Logins whose end is remembered for an await that comes late."""


class Await:
    """One caller that waits for the outcome of one login."""

    def __init__(self, session_id: str, clock: Clock) -> None:
        """Begin with nothing heard."""
        self.session_id = session_id
        self.line = Line(clock)
        self._outcome: Future[Outcome] = Future()

    def begin(self, listen: Callable[[Line], Outcome]) -> None:
        """Listen in a thread of its own."""
        threading.Thread(
            target=self._listen, args=[listen], name="latchkey-await", daemon=True
        ).start()

    def end(self, error: NativeError) -> None:
        """End the wait with an error, unless it has ended."""
        self._settle(error)
        self.line.cut()

    def outcome(self, *, within: float) -> Outcome | None:
        """Wait this long for the outcome, or for the error that ended the wait."""
        try:
            return self._outcome.result(within)
        except TimeoutError:
            return None

    def _listen(self, listen: Callable[[Line], Outcome]) -> None:
        try:
            self._settle(listen(self.line))
        except LineCut:
            return  # whoever cut the line has said why
        except BaseException as error:  # noqa: BLE001 # raised where it is awaited
            self._settle(error)

    def _settle(self, result: Outcome | BaseException) -> None:
        with suppress(InvalidStateError):  # the first one counts
            if isinstance(result, BaseException):
                self._outcome.set_exception(result)
            else:
                self._outcome.set_result(result)


class Awaits:
    """The awaits of one process."""

    def __init__(self, clock: Clock) -> None:
        """Begin with none."""
        self._clock = clock
        self._lock = threading.Lock()
        self._open: set[Await] = set()
        self._fates: dict[str, type[LoginEnded] | None] = {}
        """What became of the logins that were started here; None while they live."""

    def note(self, session_id: str) -> None:
        """Remember a login that was started."""
        with self._lock:
            self._fates[session_id] = None
            while len(self._fates) > REMEMBERED:
                del self._fates[next(iter(self._fates))]

    def forget(self, session_id: str) -> None:
        """Forget a login that has come to its own end."""
        with self._lock:
            self._fates.pop(session_id, None)

    def end(self, why: type[LoginEnded], *, only: str | None = None) -> None:
        """End every login that lives here, or one: those awaited now, and later."""
        with self._lock:
            for session_id, fate in self._fates.items():
                if fate is None and only in {None, session_id}:
                    self._fates[session_id] = why
            ended = [one for one in self._open if only in {None, one.session_id}]
        for one in ended:
            one.end(why())

    def fate(self, session_id: str) -> type[LoginEnded] | None:
        """Return what ended a login here, if something did."""
        with self._lock:
            return self._fates.get(session_id)

    @contextmanager
    def entered(self, session_id: str) -> Iterator[Await]:
        """Wait for a login; whoever ends it from now on ends this, too."""
        one = Await(session_id, self._clock)
        with self._lock:
            self._open.add(one)
        try:
            yield one
        finally:
            with self._lock:
                self._open.discard(one)
            one.line.cut()
