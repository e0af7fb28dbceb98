"""The store protocol: one text of an app; and a store in memory.

A store knows nothing of logins. The rest of the package relies on one property: a text
is replaced only by a caller that has seen it (`exchange`).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class StateStore(Protocol):
    """One text, shared by every thread and process of an app.

    Each method raises SessionStoreFailed when it cannot do what it says.
    """

    def read(self) -> str | None:
        """Return the text, or None."""
        ...

    def exchange(self, change: Callable[[str | None], str | None]) -> None:
        """Replace the text by what `change` returns for it; None removes it.

        No other thread or process reads or writes in between. When this returns, the
        new text outlives a crash of the machine. When `change` raises, or the machine
        crashes before, the old text stays.
        """
        ...

    def remove(self) -> None:
        """Remove the text, even one that cannot be read."""
        ...

    def version(self) -> Hashable:
        """Return a value that differs after each change; cheap, called often."""
        ...


class MemoryStore:
    """A text in memory: the session ends with the process."""

    def __init__(self) -> None:
        """Create it empty."""
        self._lock = threading.Lock()
        self._text: str | None = None
        self._changes = 0

    def read(self) -> str | None:
        """Return the text, or None."""
        return self._text

    def exchange(self, change: Callable[[str | None], str | None]) -> None:
        """Replace the text."""
        with self._lock:
            self._text = change(self._text)
            self._changes += 1

    def remove(self) -> None:
        """Remove the text."""
        self.exchange(lambda _text: None)

    def version(self) -> int:
        """Return the number of changes."""
        return self._changes


if TYPE_CHECKING:

    def _fits(store: MemoryStore) -> StateStore:
        return store
