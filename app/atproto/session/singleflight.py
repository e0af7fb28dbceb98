"""One piece of work at a time for each key, however many threads want its outcome.

Thrift, not safety: other processes know nothing of it. The work runs in a thread of its
own and ends even when nobody waits for it any more (requirement 7.10).
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")


class Flights(Generic[T]):
    """The work that is under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[Hashable, Future[T]] = {}

    def join(self, key: Hashable, work: Callable[[], T]) -> Future[T]:
        """Return the work that runs for this key; begin it when none does."""
        with self._lock:
            running = self._running.get(key)
            if running is not None and not running.done():
                return running
            # A thread for each: a host that is slow keeps no other host waiting.
            crew = ThreadPoolExecutor(max_workers=1, thread_name_prefix="refresh")
            begun = self._running[key] = crew.submit(work)
        begun.add_done_callback(lambda done: self._land(key, done))
        crew.shutdown(wait=False)
        return begun

    def _land(self, key: Hashable, done: Future[T]) -> None:
        with self._lock:
            if self._running.get(key) is done:
                del self._running[key]
