"""Readiness: whether this process can serve, for /readyz and its log line.

The checks run once a second at most, however many callers ask, so that a probe is never
the cause of load. A check that hangs keeps one caller waiting; the others get the last
states.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

log = logging.getLogger(__name__)

State = Literal["ok", "failing"]

LIFETIME: Final = 1.0
"""Seconds for which states are not asked again."""


@dataclass(slots=True, kw_only=True)
class Readiness:
    """The readiness checks of a process; a check raises when its part cannot serve."""

    checks: Mapping[str, Callable[[], None]]
    needs: Mapping[str, str] = field(default_factory=dict)
    """Parts that fail with another one, which is checked before: not asked then."""
    clock: Callable[[], float]
    _states: Mapping[str, State] = field(init=False, default_factory=dict)
    _asked_at: float = field(init=False, default=0.0)
    _running: threading.Lock = field(init=False, default_factory=threading.Lock)

    def states(self) -> Mapping[str, State]:
        """Return the state of each part, at most LIFETIME seconds old."""
        if self._is_recent():
            return self._states
        if not self._running.acquire(blocking=not self._states):
            return self._states
        try:
            if not self._is_recent():
                self._ask()
            return self._states
        finally:
            self._running.release()

    def _is_recent(self) -> bool:
        # Asked again also after the clock was set back.
        return bool(self._states) and 0 <= self.clock() - self._asked_at < LIFETIME

    def _ask(self) -> None:
        before = self._states
        states: dict[str, State] = {}
        for name, check in self.checks.items():
            need = self.needs.get(name)
            is_lost = need is not None and states[need] == "failing"
            trouble = f"{need} fails" if is_lost else _trouble(check)
            states[name] = "failing" if trouble else "ok"
            _log_change(name, before.get(name), trouble)
        self._states, self._asked_at = states, self.clock()


def _trouble(check: Callable[[], None]) -> str | None:
    try:
        check()
    except Exception as error:  # noqa: BLE001 - any failure means not ready
        return f"{error}" or type(error).__name__
    return None


def _log_change(name: str, before: State | None, trouble: str | None) -> None:
    """Log a part that begins to fail or works again, once and not at each probe."""
    if trouble is not None and before != "failing":
        log.warning("not ready: %s: %s", name, trouble)
    elif trouble is None and before == "failing":
        log.warning("ready again: %s", name)
