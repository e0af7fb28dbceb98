"""The line between one await and the service: open, dropped, or cut for good.

A thread that reads from a socket notices nothing else. So whoever opens a connection
says how to close it, and another thread closes it: to have the line opened anew, or
because nobody waits any more.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .clock import Clock


class LineCut(Exception):  # no failure: the caller has gone
    """Nobody waits for the outcome any more."""


class Line:
    """What the waiting and the listening thread share of the connection."""

    def __init__(self, clock: Clock) -> None:
        """Begin with nothing open."""
        self._clock = clock
        self._lock = threading.Lock()
        self._cut = threading.Event()
        self._close: Callable[[], None] | None = None
        self.is_heard = False
        """Whether the service has said something on the open connection."""
        self.last_id = ""
        """The id of the last event, on whatever connection."""
        self.trouble: str | None = None
        """Why the service is not heard at the moment."""

    @contextmanager
    def carries(self, close: Callable[[], None]) -> Iterator[None]:
        """Have this closed, from whatever thread, when the line is dropped or cut.

        Raises:
            LineCut: it is cut already.
        """
        with self._lock:
            self.raise_if_cut()
            self._close = close
        try:
            yield
        finally:
            with self._lock:
                self._close = None

    def heard(self, last_id: str = "") -> None:
        """Note that the service speaks, and what its next connection should know."""
        self.is_heard = True
        self.trouble = None
        self.last_id = last_id or self.last_id

    def pause(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            LineCut: meanwhile, or before.
        """
        if self._clock.wait(self._cut, seconds):
            raise LineCut

    def raise_if_cut(self) -> None:
        """Say whether to go on.

        Raises:
            LineCut: not to.
        """
        if self._cut.is_set():
            raise LineCut

    def drop(self) -> None:
        """Close the connection, so that another is opened."""
        with self._lock:
            if self._close is not None:
                self._close()

    def cut(self) -> None:
        """Close the connection for good."""
        self._cut.set()
        self.drop()
