"""The state in the system's keyring: Keychain, Secret Service, KWallet.

A keyring knows no lock and no compare-and-set, and somebody must remember that it was
chosen. So a file stands beside it, the one of `file_store.py`, with a note in place of
the state. Whoever changes the state holds the file's lock; the note is written after
the keyring and changes each time. A state that is found in the file itself (from before
the keyring was there) is read from the file, and moves with the next change: it is
never looked for in both.
"""

from __future__ import annotations

import importlib
import json
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from .errors import KeyringUnusable

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from .file_store import FileStore
    from .store import StateStore

NOTE: Final = "kept_in_keyring"
SERVICE: Final = "latchkey"


class Backend(Protocol):
    """What is used of a keyring: the `keyring` package's own backends have it."""

    def get_password(self, service: str, username: str) -> str | None:
        """Return a secret."""
        ...

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a secret."""
        ...

    def delete_password(self, service: str, username: str) -> None:
        """Forget a secret."""
        ...


class KeyringStore:
    """One text in a keyring, under the path of the file that names it."""

    def __init__(self, file: FileStore, backend: Backend) -> None:
        """Use a keyring, and a file for the note."""
        self._file = file
        self._backend = backend
        self._entry = str(file.path.absolute())

    def read(self) -> str | None:
        """Return the text."""
        return self._resolved(self._file.read())

    def exchange(self, change: Callable[[str | None], str | None]) -> None:
        """Replace the text: the keyring first, and then the note that points to it."""

        def noted(noted_before: str | None) -> str | None:
            before = self._resolved(noted_before)
            after = change(before)
            if after is None:
                self._forget()
                return None
            if after == before and is_note(noted_before):
                return noted_before
            with _explained():
                self._backend.set_password(SERVICE, self._entry, after)
            return json.dumps({NOTE: SERVICE, "change": secrets.token_hex(8)})

        self._file.exchange(noted)

    def remove(self) -> None:
        """Remove the text from the keyring, and the note.

        The note goes first: should the keyring fail, nobody is signed in all the same.
        """
        self._file.remove(self._forget)

    def version(self) -> Hashable:
        """Return what the file says; the keyring is not asked, which may prompt."""
        return self._file.version()

    def _resolved(self, text: str | None) -> str | None:
        if not is_note(text):
            return text
        with _explained():
            return self._backend.get_password(SERVICE, self._entry)

    def _forget(self) -> None:
        with _explained():
            if self._backend.get_password(SERVICE, self._entry) is not None:
                self._backend.delete_password(SERVICE, self._entry)


def is_note(text: str | None) -> bool:
    """Tell whether a file says that its state is in the keyring."""
    try:
        document = json.loads(text or "")
    except ValueError:
        return False
    return isinstance(document, dict) and NOTE in document


def system_keyring() -> Backend | None:
    """Return the keyring of this system; None when there is none to rely on.

    The package reports a missing keyring as a backend that always fails, with a
    priority of 0, and recommends none below 1.
    """
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:
        return None
    with _explained():
        backend: Any = keyring.get_keyring()
        return backend if backend.priority >= 1 else None


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # each backend has errors of its own
        raise KeyringUnusable(
            f"the system's keyring did not do its part ({type(error).__name__}):"
            " unlock it and try again, or sign out and keep the session in a file"
        ) from error


if TYPE_CHECKING:

    def _fits(store: KeyringStore) -> StateStore:
        return store
