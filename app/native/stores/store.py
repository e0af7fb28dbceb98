"""The store protocol: one text of an app; and a store in memory.

A store knows nothing of logins. The rest of the package relies on one property: a text
is replaced only by a caller that has seen it (`exchange`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final, Protocol

from ..errors import SessionStoreFailed

RENEWING: Final = 45.0
"""Seconds to wait for another thread or process that renews the session: longer than
the service has for its answer."""


class StateStore(Protocol):
    """One text, shared by every thread and process of an app.

    Each method raises SessionStoreFailed when it cannot do what it says.
    """

    def read(self) -> str | None:
        """Return the text, or None."""

    def exchange(self, change: Callable[[str | None], str | None]) -> None:
        """Replace the text by what `change` returns for it; None removes it.

        No other thread or process reads or writes in between. When this returns, the
        new text outlives a crash of the machine. When `change` raises, or the machine
        crashes before, the old text stays.
        """

    def remove(self) -> None:
        """Remove the text, even one that cannot be read."""

    def version(self) -> Hashable:
        """Return a value that differs after each change; cheap, called often."""

    def alone(self) -> AbstractContextManager[None]:
        """Hold the one turn to renew the session, among all threads and processes.

        The other methods go on meanwhile. A process that dies gives the turn back.

        Raises SessionStoreFailed when another one has the turn for more than RENEWING.
        """


class MemoryStore(StateStore):
    """A text in memory: the session ends with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._text: str | None = None
        self._changes = 0

    def read(self) -> str | None:
        return self._text

    def exchange(self, change: Callable[[str | None], str | None]) -> None:
        with self._lock:
            self._text = change(self._text)
            self._changes += 1

    def remove(self) -> None:
        self.exchange(lambda _text: None)

    def version(self) -> int:
        return self._changes

    @contextmanager
    def alone(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=RENEWING):
            raise SessionStoreFailed("another thread renews the session for too long")
        try:
            yield
        finally:
            self._turn.release()
