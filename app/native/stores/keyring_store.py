"""A store in the system's keyring: Keychain, Secret Service, KWallet.

A keyring has no lock and no compare-and-set, and does not say that it was chosen. So a
`FileStore` stands beside it, with a note in place of the text. A change holds the
file's lock; the note is written after the keyring and differs each time. A text that is
found in the file itself (from before there was a keyring) is read from the file, and
moves to the keyring with the next change: it is never looked for in both.
"""

from __future__ import annotations

import importlib
import json
import secrets
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Protocol

from ..errors import KeyringUnusable
from .file_store import FileStore
from .store import StateStore

NOTE: Final = "kept_in_keyring"
SERVICE: Final = "latchkey"


class Backend(Protocol):
    """The methods of the `keyring` package's backends that are used here."""

    def get_password(self, service: str, username: str) -> str | None:
        """Return a secret."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Store a secret."""

    def delete_password(self, service: str, username: str) -> None:
        """Delete a secret."""


class KeyringStore(StateStore):
    """One text in a keyring, under the path of the file that names it."""

    def __init__(self, file: FileStore, backend: Backend) -> None:
        self._file = file
        self._backend = backend
        self._entry = str(file.path.absolute())

    def read(self) -> str | None:
        return self._resolved(self._file.read())

    def exchange(self, change: Callable[[str | None], str | None]) -> None:
        """Replace the text: the keyring first, then the note that points to it."""

        def changed(note_before: str | None) -> str | None:
            before = self._resolved(note_before)
            after = change(before)
            if after is None:
                self._forget()
                return None
            if after == before and is_note(note_before):
                return note_before
            with _translated():
                self._backend.set_password(SERVICE, self._entry, after)
            return json.dumps({NOTE: SERVICE, "change": secrets.token_hex(8)})

        self._file.exchange(changed)

    def remove(self) -> None:
        """Remove the note, then the text from the keyring.

        In this order, a keyring that fails leaves no session behind.
        """
        self._file.remove(self._forget)

    def version(self) -> Hashable:
        """Return the file's version; asking the keyring may prompt the person."""
        return self._file.version()

    def alone(self) -> AbstractContextManager[None]:
        return self._file.alone()

    def _resolved(self, text: str | None) -> str | None:
        if not is_note(text):
            return text
        with _translated():
            return self._backend.get_password(SERVICE, self._entry)

    def _forget(self) -> None:
        with _translated():
            if self._backend.get_password(SERVICE, self._entry) is not None:
                self._backend.delete_password(SERVICE, self._entry)


def is_note(text: str | None) -> bool:
    """Return whether the text of a file says that the state is in the keyring."""
    try:
        document = json.loads(text or "")
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and NOTE in document


def system_keyring() -> Backend | None:
    """Return the keyring of this system, or None.

    The package reports a missing keyring as a backend that always fails, with priority
    0, and recommends to use none below 1.
    """
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:
        return None
    with _translated():
        backend: Any = keyring.get_keyring()
        return backend if backend.priority >= 1 else None


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # each backend has errors of its own
        raise KeyringUnusable(
            f"the system's keyring did not do its part ({type(error).__name__}):"
            " unlock it and try again, or sign out and keep the session in a file"
        ) from error
