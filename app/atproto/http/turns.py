"""Turns: one thread of a pool computes at a time, while any number waits.

Python runs one thread at a time and lets each go on for 5 ms. An event loop beside 200
threads that all have something to compute would wait for all of them. A thread of the
asynchronous client computes in its turn, and gives it back while it waits for a socket,
a store or another thread. Threads that never call `taken`, such as all of the
service's, know no turns.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

PATIENCE: Final = 1.0
"""Seconds after which a thread computes without its turn: a thread that waits for what
is not known here, such as a slow `observe`, delays others and stops none."""


class Turns:
    """The turn of one thread at a time."""

    def __init__(self) -> None:
        self._free = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Compute in turns from here to the end of the block, in this thread."""
        _mine.turns, _mine.is_waiting = self, False
        self._take()
        try:
            yield
        finally:
            self._give_back()
            del _mine.turns

    @contextmanager
    def given_back(self) -> Iterator[None]:
        """Let another thread compute until the end of the block."""
        self._give_back()
        _mine.is_waiting = True
        try:
            yield
        finally:
            _mine.is_waiting = False
            self._take()

    def _take(self) -> None:
        _mine.has_turn = self._free.acquire(timeout=PATIENCE)

    def _give_back(self) -> None:
        if _mine.has_turn:
            _mine.has_turn = False
            self._free.release()


def waiting() -> AbstractContextManager[None]:
    """Give back the turn of this thread, if it has one, while the block waits."""
    turns: Turns | None = getattr(_mine, "turns", None)
    if turns is None or _mine.is_waiting:
        return _NO_TURN
    return turns.given_back()


_NO_TURN: Final = nullcontext()
"""The block of a thread that knows no turns; every read of a socket is one."""


_mine = threading.local()
