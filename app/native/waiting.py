"""Waiting for the outcome of a login: the threads that wait, and what ends them.

A wait is two threads. The caller's thread waits for the outcome or for the end of the
wait, whichever comes first, and never on a socket; a second thread speaks with the
service. After the wait has ended, the second thread's result is dropped.

The outcome, and an end made in this process, come at once. The caller's thread looks
twice a second for what nothing reports: another process changed the store, the machine
has slept, or the caller's own timeout has passed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from .clock import Clock, Expiry, Overtime, SleepWatch
from .errors import AwaitTimedOut, LoginEnded, LoginExpired, NativeError
from .records import NativeSession
from .transports.connection import Cancelled, Connection
from .transports.transport import Outcome

LOOK_EVERY: Final = 0.5
"""Seconds."""

OVERTIME: Final = 90.0
"""Seconds after a login's end in which the last requests have an answer. A connection
that is open longer does not lead to the service any more."""

REMEMBERED: Final = 64
"""Logins whose end is remembered, for a wait that begins after it."""

CheckStore = Callable[[], NativeSession | None]
"""Returns the session that another process has stored; raises what ended the login."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How a wait stands; `trouble` says why the service does not answer, or is None."""

    seconds_left: float
    trouble: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitOptions:
    """How long the caller waits, and what is called meanwhile."""

    timeout: float | None = None
    on_wait: Callable[[Waiting], None] | None = None


class Waiter:
    """One call of `await_login` that waits for the outcome of one login."""

    def __init__(
        self, session_id: str, clock: Clock, *, look_every: float = LOOK_EVERY
    ) -> None:
        self.session_id = session_id
        # Before the connection opens: a sleep right after that must not be missed.
        self._sleep = SleepWatch(clock)
        self._look_every = look_every
        self.connection = Connection(clock)
        self._outcome: Future[Outcome] = Future()

    def start(self, fetch: Callable[[Connection], Outcome]) -> None:
        """Fetch the outcome in a second thread."""
        threading.Thread(
            target=self._run, args=[fetch], name="latchkey-await", daemon=True
        ).start()

    def end(self, error: NativeError) -> None:
        """End the wait with an error, unless it has ended."""
        self._settle(error)
        self.connection.cancel()

    def outcome(self, *, within: float) -> Outcome | None:
        """Return the outcome; None when there is none within so many seconds.

        Raises the error that ended the wait.
        """
        try:
            return self._outcome.result(within)
        except TimeoutError:
            return None

    def wait(
        self, check_store: CheckStore, *, options: WaitOptions, expiry: Expiry
    ) -> Outcome | NativeSession:
        """Return the outcome, or the session that another process has stored.

        Raises:
            AwaitTimedOut: the caller's timeout has passed.
            LoginExpired: the login ended and the service did not answer any more.
            NativeError: what ended the login, here or in another process.
        """
        clock = expiry.clock
        overtime = Overtime(expiry)
        timeout = float("inf") if options.timeout is None else options.timeout
        ends = clock.monotonic() + timeout
        while True:
            within = max(0.0, min(self._look_every, ends - clock.monotonic()))
            ended = self.outcome(within=within) or check_store()
            if ended is not None:
                return ended
            if clock.monotonic() >= ends:
                raise AwaitTimedOut
            if overtime.seconds() > OVERTIME:
                raise LoginExpired
            if self._sleep.has_slept():
                self.connection.reopen()  # the other end has closed it unnoticed
            if options.on_wait is not None:
                left, trouble = expiry.remaining(), self.connection.trouble
                options.on_wait(Waiting(seconds_left=left, trouble=trouble))

    def _run(self, fetch: Callable[[Connection], Outcome]) -> None:
        try:
            self._settle(fetch(self.connection))
        except Cancelled:
            return  # the caller has its reason already
        except BaseException as error:  # noqa: BLE001 # raised in the caller's thread
            self._settle(error)

    def _settle(self, result: Outcome | BaseException) -> None:
        with suppress(InvalidStateError):  # the first result counts
            if isinstance(result, BaseException):
                self._outcome.set_exception(result)
            else:
                self._outcome.set_result(result)


class Waiters:
    """The waiters of one process, and the logins that were started in it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: set[Waiter] = set()
        self._ends: dict[str, type[LoginEnded] | None] = {}
        """What ended each login that was started here; None while it goes on."""

    def note_started(self, session_id: str) -> None:
        """Remember a login that was started."""
        with self._lock:
            self._ends[session_id] = None
            while len(self._ends) > REMEMBERED:
                del self._ends[next(iter(self._ends))]

    def forget(self, session_id: str) -> None:
        """Forget a login that has its outcome."""
        with self._lock:
            self._ends.pop(session_id, None)

    def end(self, reason: type[LoginEnded], *, only: str | None = None) -> None:
        """End every login of this process, or one: present waits and later ones."""
        with self._lock:
            for session_id, end in self._ends.items():
                if end is None and only in {None, session_id}:
                    self._ends[session_id] = reason
            ended = [one for one in self._open if only in {None, one.session_id}]
        for waiter in ended:
            waiter.end(reason())

    def end_of(self, session_id: str) -> type[LoginEnded] | None:
        """Return what ended a login here, or None."""
        with self._lock:
            return self._ends.get(session_id)

    @contextmanager
    def waiter(self, session_id: str) -> Iterator[Waiter]:
        """Open a waiter for a login: `end` ends it from now on."""
        waiter = Waiter(session_id, self._clock)
        with self._lock:
            self._open.add(waiter)
        try:
            yield waiter
        finally:
            with self._lock:
                self._open.discard(waiter)
            waiter.connection.cancel()
