"""Where the state of an app is kept, as a port; and one store that forgets.

A store holds one text. It knows nothing of logins: that a text is only replaced by
somebody who has seen it is all that the rest is built on.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from .state import State, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class StateStore(Protocol):
    """One text, shared by every thread and process of an app.

    Each method raises SessionStoreFailed when it cannot do what it says.
    """

    def read(self) -> str | None:
        """Return the text; None when there is none."""
        ...

    def exchange(self, change: Callable[[str | None], str | None]) -> None:
        """Replace the text with what `change` makes of it; None removes it.

        Nobody else reads or writes in between, in whatever process. When this returns,
        the new text outlives a crash of the machine. When `change` raises, or the
        machine dies before, the old one is left as it was.
        """
        ...

    def remove(self) -> None:
        """Remove the text, whatever it is, even one that cannot be read."""
        ...

    def version(self) -> Hashable:
        """Return something that is another after each change; cheap, asked often."""
        ...


class MemoryStore:
    """A session that ends with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._text: str | None = None
        self._changes = 0

    def read(self) -> str | None:
        """Return the text."""
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
        """Return the number of changes so far."""
        return self._changes


class Vault:
    """A store whose text is a `State`."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self.version = store.version
        self.remove = store.remove

    def state(self) -> State:
        """Return what is kept now."""
        return decode(self._store.read())

    def change(self, change: Callable[[State], State]) -> State:
        """Replace the state, as `StateStore.exchange`; return what was there before."""
        before = State()

        def rewritten(text: str | None) -> str | None:
            nonlocal before
            before = decode(text)
            return encode(change(before))

        self._store.exchange(rewritten)
        return before


if TYPE_CHECKING:

    def _fits(store: MemoryStore) -> StateStore:
        return store
