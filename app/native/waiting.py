"""What the caller of `await_login` does meanwhile: look up twice a second.

The outcome, and an end made in this process, come at once. What only shows when
somebody looks is another process that changed the store, a machine that has slept, and
the caller's own patience.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .clock import Overtime, SleepWatch
from .errors import AwaitTimedOut, LoginExpired
from .records import NativeSession

if TYPE_CHECKING:
    from .awaits import Await
    from .clock import Expiry
    from .transport import Outcome

TICK: Final = 0.5

LAST_LOOK: Final = 90.0
"""Seconds in which what was asked before a login's end, and once more after it, has
come to something. A connection that is open longer is not one of the service."""

Look = Callable[[], NativeSession | None]
"""Tells of a session that somebody else has fetched; raises what ended the login."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How an await stands; `trouble` says why the service is not heard, or None."""

    seconds_left: float
    trouble: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """For how long the caller waits, and what it wants to hear meanwhile."""

    timeout: float | None = None
    on_wait: Callable[[Waiting], None] | None = None


def wait(
    one: Await, look: Look, *, patience: Patience, expiry: Expiry
) -> Outcome | NativeSession:
    """Return what ends an await.

    Raises:
        AwaitTimedOut: the caller's time is over.
        LoginExpired: the login's is, long since.
        NativeError: whatever ended the login, here or elsewhere.
    """
    clock = expiry.clock
    sleep, overtime = SleepWatch(clock), Overtime(expiry)
    timeout = float("inf") if patience.timeout is None else patience.timeout
    ends = clock.monotonic() + timeout
    while True:
        within = max(0.0, min(TICK, ends - clock.monotonic()))
        ended = one.outcome(within=within) or look()
        if ended is not None:
            return ended
        if clock.monotonic() >= ends:
            raise AwaitTimedOut
        if overtime.seconds() > LAST_LOOK:
            raise LoginExpired
        if sleep.has_slept():
            one.line.drop()  # a connection from before is dead, and does not know it
        if patience.on_wait is not None:
            left = expiry.remaining()
            patience.on_wait(Waiting(seconds_left=left, trouble=one.line.trouble))
