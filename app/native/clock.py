"""The wall clock and the monotonic clock, and when a login expires by them.

The wall clock goes on while a laptop sleeps, and may be set. The monotonic clock is
never set, and may stop during sleep. A login is over when either says so, and the
machine has slept when they disagree.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from .records import PendingLogin

SLEEP_GAP: Final = 5.0
"""Seconds by which the wall clock runs ahead when the machine has slept."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Both clocks, and how to wait; tests replace it."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic

    def now(self) -> int:
        """Return the epoch seconds."""
        return int(self.wall())

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for an event for at most so many seconds; return whether it is set."""
        return event.wait(seconds)


@dataclass(frozen=True, slots=True)
class Expiry:
    """The end of a login, by both clocks."""

    clock: Clock
    wall: float
    monotonic: float

    @classmethod
    def of(cls, login: PendingLogin, clock: Clock) -> Expiry:
        """Return the end of a login; never later than its whole lifetime from now."""
        given = login.expires_at - login.started_at
        left = min(login.expires_at - clock.wall(), given)
        return cls(clock, clock.wall() + left, clock.monotonic() + left)

    def remaining(self) -> float:
        """Return the seconds that are left, 0 when the login is over."""
        left = min(
            self.wall - self.clock.wall(), self.monotonic - self.clock.monotonic()
        )
        return max(0.0, left)


class Overtime:
    """Measures for how long a login has been over without an answer."""

    def __init__(self, expiry: Expiry) -> None:
        self._expiry = expiry
        self._since: float | None = None

    def seconds(self) -> float:
        """Return the seconds since the end was first noticed, 0 before it."""
        now = self._expiry.clock.monotonic()
        if self._since is None and self._expiry.remaining() == 0:
            self._since = now
        return 0.0 if self._since is None else now - self._since


class SleepWatch:
    """Notices that the machine has slept since the last call."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lead = clock.wall() - clock.monotonic()

    def has_slept(self) -> bool:
        """Return whether the wall clock has run ahead since the last call."""
        lead = self._clock.wall() - self._clock.monotonic()
        slept = lead - self._lead > SLEEP_GAP
        self._lead = lead
        return slept
