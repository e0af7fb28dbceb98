"""Concurrency limits of one process: in total, and per key (a person, a network).

For what waits: logins and calls that wait for slow hosts, streams that wait for a
login. The limits count in the process that waits, which is what they protect.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import AbstractContextManager

from app.flows.errors import TooManyRequests
from app.telemetry.events import Observer, Place, PlaceTaken, ignore


class ConcurrencyLimit:
    """Counts what is held; a caller above a limit is refused and never waits."""

    def __init__(
        self,
        kind: str,
        *,
        retry_after: float,
        total: int | None = None,
        per_key: int | None = None,
        place: Place | None = None,
        observe: Observer = ignore,
    ) -> None:
        """Name the limit; `retry_after` are the seconds in which places become free.

        `place` is what the metrics call one that is held.
        """
        self._taken = PlaceTaken(place, 1) if place else None
        self._given_back = PlaceTaken(place, -1) if place else None
        self._observe = observe
        self._kind = kind
        self._retry_after = retry_after
        self._total = total
        self._per_key = per_key
        self._held: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def held(self) -> int:
        """How many places are held now."""
        return self._held.total()

    def hold(self, key: str = "") -> AbstractContextManager[None]:
        """Hold one place of a key.

        Raises:
            TooManyRequests: on entering, when the key or the process has no place left.
        """
        return _Place(self, key)

    def enter(self, key: str) -> None:
        """Take a place; callers use `hold`."""
        with self._lock:
            if self._is_full(key):
                raise TooManyRequests(self._kind, retry_after=self._retry_after)
            self._held[key] += 1
        if self._taken:
            self._observe(self._taken)

    def leave(self, key: str) -> None:
        """Give a place back; callers use `hold`."""
        with self._lock:
            self._held[key] -= 1
            if not self._held[key]:
                del self._held[key]
        if self._given_back:
            self._observe(self._given_back)

    def _is_full(self, key: str) -> bool:
        if self._per_key is not None and self._held[key] >= self._per_key:
            return True
        return self._total is not None and self._held.total() >= self._total


class _Place:
    """A place that is held: a generator would take ten times the memory."""

    __slots__ = ("_key", "_limit")

    def __init__(self, limit: ConcurrencyLimit, key: str) -> None:
        self._limit = limit
        self._key = key

    def __enter__(self) -> None:
        self._limit.enter(self._key)

    def __exit__(self, *_error: object) -> None:
        self._limit.leave(self._key)
