"""SingleFlight: concurrent calls with one key share one execution.

Deduplicates concurrent calls in this process. Correctness across processes is the
lease's job. The work runs in a thread of its own and ends even when no caller waits for
it any more (requirement 7.10).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """The calls that are running, by key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[Hashable, Future[T]] = {}

    def join(self, key: Hashable, work: Callable[[], T]) -> Future[T]:
        """Return the running call of this key; start `work` when there is none."""
        with self._lock:
            running = self._running.get(key)
            if running is not None and not running.done():
                return running
            # One thread per call: a slow host delays no call to another host.
            pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="refresh")
            begun = self._running[key] = pool.submit(copy_context().run, work)
        begun.add_done_callback(lambda done: self._remove(key, done))
        pool.shutdown(wait=False)
        return begun

    def wait(self) -> None:
        """Wait until the calls that are running have ended."""
        with self._lock:
            running = list(self._running.values())
        wait(running)

    def _remove(self, key: Hashable, done: Future[T]) -> None:
        with self._lock:
            if self._running.get(key) is done:
                del self._running[key]
