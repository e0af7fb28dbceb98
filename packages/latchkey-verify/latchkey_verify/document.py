"""A document of the service in memory: refreshed by a thread, kept in an outage."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

log = logging.getLogger(__name__)

Value = TypeVar("Value")

RETRY: Final = 10.0
"""Seconds between two attempts while the service cannot be reached."""


class Document(Generic[Value]):
    """A value that `load` makes of a document of the service.

    `load` is given the value of before, or None. It raises OSError or ValueError when
    the document cannot be had; the value of before is kept then.
    """

    def __init__(
        self,
        load: Callable[[Value | None], Value],
        *,
        fresh: float,
        stale: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Hold nothing yet; the first `get` loads.

        For `fresh` seconds the value is served as it is, from then to `stale` seconds
        while a thread refreshes it, and later callers wait for the refresh; in an
        outage they do not, once an attempt has failed.
        """
        self._load, self._clock = load, clock
        self._fresh, self._stale = fresh, stale
        self._value: Value | None = None
        self._loaded_at = self._failed_at = float("-inf")
        self._start_over()

    def get(self) -> Value | None:
        """Return the value; None when it never could be loaded."""
        if self._pid != os.getpid():
            # The thread that held the lock and loads stayed in the parent of the fork.
            self._start_over()
        # The age first: a load that ends in between gives a value newer than its age.
        age, value = self._age(), self._value
        if age >= self._stale and (value is None or not self._failed_lately()):
            self.refresh()
            return self._value
        if age >= self._fresh and self._may_try() and not self._lock.locked():
            threading.Thread(target=self.refresh, daemon=True).start()
        return value

    def refresh(self, *, every: float = RETRY) -> None:
        """Load the value now, unless that was tried less than `every` seconds ago.

        One caller loads; the others wait for it.
        """
        with self._lock:
            if not self._may_try(every):
                return
            try:
                self._value = self._load(self._value)
            except (OSError, ValueError, RecursionError) as error:
                self._failed_at = self._clock()
                log.warning("keeping what was fetched before: %s", error)
            else:
                self._loaded_at = self._clock()
            finally:
                # The end counts: those that waited for a slow attempt make none.
                self._tried_at = self._clock()

    def _age(self) -> float:
        return self._clock() - self._loaded_at

    def _failed_lately(self) -> bool:
        return self._clock() - self._failed_at < self._stale

    def _may_try(self, every: float = RETRY) -> bool:
        return self._clock() - self._tried_at >= every

    def _start_over(self) -> None:
        self._lock, self._pid = threading.Lock(), os.getpid()
        self._tried_at = float("-inf")
