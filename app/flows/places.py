"""How much may wait for slow hosts at once: for everybody, and for one person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from .errors import TooManyRequests

RETRY_AFTER: Final = 2.0
"""Seconds after which a place is likely to be free."""


class Places:
    """Places of this process; nobody waits for one, and no one person has them all."""

    def __init__(self, *, altogether: int, each: int) -> None:
        self._altogether = altogether
        self._each = each
        self._taken: Counter[str] = Counter()
        self._lock = Lock()

    @contextmanager
    def hold(self, who: str) -> Iterator[None]:
        """Hold a place.

        Raises:
            TooManyRequests: there is none, or this person holds enough of them.
        """
        with self._lock:
            if self._taken[who] >= self._each or self._is_full():
                raise TooManyRequests("calls", retry_after=RETRY_AFTER)
            self._taken[who] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[who] -= 1
                if not self._taken[who]:
                    del self._taken[who]

    def _is_full(self) -> bool:
        return self._taken.total() >= self._altogether
