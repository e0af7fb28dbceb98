"""Watchdog: notices a gevent worker whose hub has not run for two seconds.

One greenlet that never switches stops every other request of its worker. A real thread
compares samples of the worker's thread, so nothing here may depend on the hub. The
frame of the greenlet says where it is. gunicorn.conf.py decides what happens then.

Python code of a C extension that keeps the interpreter lock, such as a slow regular
expression, stops this thread too: it is noticed when the lock is free again.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable
from mmap import mmap
from pathlib import Path
from types import FrameType

PATIENCE = 2.0
"""Seconds in one greenlet without the hub, without those of waiting for a core."""

INTERVAL = 0.25
"""Seconds between two samples, and between two ticks of the hub."""

SLOTS = 256


class Watchdog:
    """Compares samples of one thread: its greenlet, and how often the hub ran."""

    def __init__(
        self, *, frame: Callable[[], FrameType | None], clock: Callable[[], float]
    ) -> None:
        """Take what returns the frame that the watched thread is in, and a clock."""
        self._frame = frame
        self._clock = clock
        self._ticks = 0
        self._seen: tuple[int, FrameType | None] = (-1, None)
        self._since = 0.0

    def tick(self) -> None:
        """Note that the hub runs; a greenlet calls this every `INTERVAL`."""
        self._ticks += 1

    def stuck(self) -> str | None:
        """Take a sample. Return the stack of a greenlet that is stuck, or None."""
        frame = self._frame()
        seen = (self._ticks, _outermost(frame))
        if seen != self._seen or _is_hub(seen[1]):
            self._seen, self._since = seen, self._clock()
            return None
        if self._clock() - self._since < PATIENCE:
            return None
        return "".join(traceback.format_stack(frame))


def busy_clock(schedstat: Path) -> Callable[[], float]:
    """Return a clock that stands still while a thread waits for a core.

    On a crowded machine a request may need seconds without being stuck. The second
    number of `/proc/PID/task/TID/schedstat` is the thread's waiting time in ns.
    """
    try:
        # Open for good: later a worker may have as many files open as it may have.
        file = os.open(schedstat, os.O_RDONLY)
    except FileNotFoundError:
        return time.monotonic
    return lambda: time.monotonic() - int(os.pread(file, 64, 0).split()[1]) / 1e9


class Replacements:
    """Workers that are being replaced, in memory that all processes share.

    Each worker has a slot of its own, so no two processes write the same byte.
    """

    def __init__(self, limit: int) -> None:
        """Allow so many workers at a time to be replaced before they have ended."""
        self._limit = limit
        self._slots = mmap(-1, SLOTS)

    def begin(self, number: int) -> bool:
        """Note that a worker is being replaced; return False beyond the limit."""
        if sum(self._slots[:]) >= self._limit:
            return False
        self._slots[number % SLOTS] = 1
        return True

    def end(self, number: int) -> bool:
        """Note that a worker has ended; return whether it was being replaced."""
        was_noted = self._slots[number % SLOTS] == 1
        self._slots[number % SLOTS] = 0
        return was_noted


def _outermost(frame: FrameType | None) -> FrameType | None:
    """Return the first frame of a greenlet: it is the same until the greenlet ends."""
    while frame is not None and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _is_hub(outermost: FrameType | None) -> bool:
    """Tell whether the hub itself runs: it waits for events, in no request."""
    return outermost is None or outermost.f_globals.get("__name__") == "gevent.hub"
