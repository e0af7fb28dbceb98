"""How long to leave a service alone that was not heard."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Exponential, and never the same for everybody.

    A service that restarts had all its apps cut off in the same moment: they must not
    all come back in the same moment, too.
    """

    first: float = 0.5
    longest: float = 30.0
    random: Callable[[], float] = secrets.SystemRandom().random
    """A number from 0 to 1."""

    def delay(self, failures: int, *, at_least: float | None = None) -> float:
        """Return the pause after so many failures in a row, in seconds.

        `at_least` is what the service asked for; jitter only adds to that.
        """
        steps = min(max(failures, 1) - 1, 16)
        ceiling = min(self.longest, self.first * 2.0**steps)
        delay = ceiling * (0.5 + self.random() / 2)
        return delay if at_least is None else max(delay, at_least + delay / 4)
