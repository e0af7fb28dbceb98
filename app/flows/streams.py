"""Open streams: how many of one network wait in this process, and their common end.

A stream costs memory for as long as it waits, so one address may hold a bounded number
of them. Counted in the process that holds them: nobody else needs to know, and what a
process leaves behind when it dies is nothing.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import AbstractContextManager
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

    def admit(self, address: str) -> AbstractContextManager[None]:
        """Hold one of the places of this address's network.

        Raises:
            TooManyRequests: all of them are taken, which entering tells.
        """
        return _Place(self, network_of(address))

    def enter(self, network: str) -> None:
        """Take a place; what `admit` is made of, as is `leave`."""
        with self._lock:
            if self._open[network] >= self._limit:
                raise TooManyRequests("streams", retry_after=RETRY_AFTER)
            self._open[network] += 1

    def leave(self, network: str) -> None:
        """Give a place back."""
        with self._lock:
            self._open[network] -= 1
            if not self._open[network]:
                del self._open[network]


class _Place:
    """A place that is held; a generator would take ten times the memory."""

    __slots__ = ("_network", "_streams")

    def __init__(self, streams: OpenStreams, network: str) -> None:
        self._streams = streams
        self._network = network

    def __enter__(self) -> None:
        self._streams.enter(self._network)

    def __exit__(self, *_error: object) -> None:
        self._streams.leave(self._network)
