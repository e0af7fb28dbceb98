"""Open streams: how many of one network wait in this process, and their common end.

A stream costs memory for as long as it waits, so one address may hold a bounded number
of them. Counted in the process that holds them: nobody else needs to know, and what a
process leaves behind when it dies is nothing.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from .errors import TooManyRequests
from .networks import network_of

RETRY_AFTER: Final = 30.0
"""Seconds until another try is worth it: places become free as logins end."""


class OpenStreams:
    """The streams that are open in this process."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()
        self._is_ending = False

    @property
    def is_ending(self) -> bool:
        """Whether open streams are to end, so that their clients go elsewhere."""
        return self._is_ending

    def end(self) -> None:
        """Note that this process is about to stop.

        Whoever calls this wakes those that are open. Streams that come now are let in
        and end as well: an EventSource comes back after an end, never after a refusal.
        """
        self._is_ending = True

    @contextmanager
    def admit(self, address: str) -> Iterator[None]:
        """Hold one of the places of this address's network.

        Raises:
            TooManyRequests: all of them are taken.
        """
        network = network_of(address)
        self._enter(network)
        try:
            yield
        finally:
            self._leave(network)

    def _enter(self, network: str) -> None:
        with self._lock:
            if self._open[network] >= self._limit:
                raise TooManyRequests("streams", retry_after=RETRY_AFTER)
            self._open[network] += 1

    def _leave(self, network: str) -> None:
        with self._lock:
            self._open[network] -= 1
            if not self._open[network]:
                del self._open[network]
