"""A clock that moves when a test says so: wall time and monotonic time."""

from __future__ import annotations

import threading

NOON = 1_790_000_000.0


class FakeClock:
    """Epoch seconds by calling it; seconds without a date by `monotonic`."""

    def __init__(self, now: float = NOON) -> None:
        self._lock = threading.Lock()
        self._now = now
        self._monotonic = 1_000.0

    def __call__(self) -> float:
        return self._now

    def monotonic(self) -> float:
        """Return a time that is never set back."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass, on both clocks."""
        with self._lock:
            self._now += seconds
            self._monotonic += seconds

    def skewed(self, seconds: float) -> SkewedClock:
        """Return the clock of a machine whose wall time is off."""
        return SkewedClock(self, seconds)


class SkewedClock:
    """The wall clock of another machine, some seconds ahead (or behind)."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        self._clock = clock
        self.seconds = seconds

    def __call__(self) -> float:
        return self._clock() + self.seconds
