"""The two clocks of a machine, and until when a login may be awaited.

The wall clock goes on while a laptop sleeps, and may be set; the monotonic one is never
set, and may stop meanwhile. A login is over when either says so, and the machine has
slept when they disagree.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import threading

    from .records import PendingLogin

NAP: Final = 5.0
"""Seconds by which the wall clock must have run ahead to speak of sleep."""


@dataclass(frozen=True, slots=True)
class Clock:
    """What the time is, and how to let it pass."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic

    def now(self) -> int:
        """Return the epoch seconds."""
        return int(self.wall())

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for an event, this long at most; tell whether it came."""
        return event.wait(seconds)


@dataclass(frozen=True, slots=True)
class Expiry:
    """The end of a login, by both clocks."""

    clock: Clock
    wall: float
    monotonic: float

    @classmethod
    def of(cls, login: PendingLogin, clock: Clock) -> Expiry:
        """Return the end of a login; it has never more time left than it was given."""
        given = login.expires_at - login.started_at
        left = min(login.expires_at - clock.wall(), given)
        return cls(clock, clock.wall() + left, clock.monotonic() + left)

    def remaining(self) -> float:
        """Return the seconds that are left, and none below zero."""
        left = min(
            self.wall - self.clock.wall(), self.monotonic - self.clock.monotonic()
        )
        return max(0.0, left)


class Overtime:
    """The time that a login has been over and nobody has said so."""

    def __init__(self, expiry: Expiry) -> None:
        """Begin to watch."""
        self._expiry = expiry
        self._since: float | None = None

    def seconds(self) -> float:
        """Return how long ago the end was noticed, which may be long after it was."""
        now = self._expiry.clock.monotonic()
        if self._since is None and self._expiry.remaining() == 0:
            self._since = now
        return 0.0 if self._since is None else now - self._since


class SleepWatch:
    """Notices that the machine has slept since it was asked last."""

    def __init__(self, clock: Clock) -> None:
        """Begin to watch."""
        self._clock = clock
        self._lead = clock.wall() - clock.monotonic()

    def has_slept(self) -> bool:
        """Tell whether the wall clock has run ahead."""
        lead = self._clock.wall() - self._clock.monotonic()
        slept = lead - self._lead > NAP
        self._lead = lead
        return slept
