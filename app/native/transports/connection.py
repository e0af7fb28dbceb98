"""The connection to the service, which another thread closes after sleep or on cancel.

A thread that reads from a socket notices nothing else. So the code that opens a
connection also says how to close it, and another thread closes it: to have a new one
opened, or because the caller has stopped waiting.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..clock import Clock


class Cancelled(Exception):  # not an error: the caller has stopped waiting
    """The connection was cancelled: the caller does not wait for the outcome."""


class Connection:
    """What the waiting thread and the requesting thread share of one connection."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._close: Callable[[], None] | None = None
        self.was_answered = False
        """Whether the service has answered on the open connection."""
        self.trouble: str | None = None
        """Why the service does not answer at the moment, or None."""

    @contextmanager
    def closed_by(self, close: Callable[[], None]) -> Iterator[None]:
        """Register how to close what the block opens; any thread may call it.

        Raises Cancelled when the connection has been cancelled before.
        """
        with self._lock:
            self.raise_if_cancelled()
            self._close = close
        try:
            yield
        finally:
            with self._lock:
                self._close = None

    def note_answer(self) -> None:
        """Note that the service answers."""
        self.was_answered = True
        self.trouble = None

    def sleep(self, seconds: float) -> None:
        """Sleep; raises Cancelled when the connection is or becomes cancelled."""
        if self._clock.wait(self._cancelled, seconds):
            raise Cancelled

    def raise_if_cancelled(self) -> None:
        """Raise Cancelled when the connection has been cancelled."""
        if self._cancelled.is_set():
            raise Cancelled

    def reopen(self) -> None:
        """Close what is open, so that the requesting thread opens it again."""
        with self._lock:
            if self._close is not None:
                self._close()

    def cancel(self) -> None:
        """Close the connection for good."""
        self._cancelled.set()
        self.reopen()
