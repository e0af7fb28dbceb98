"""The choice of a store: the system's keyring or a private file.

`auto` stays with the store that has the session already. An app without one takes the
keyring where there is one. A keyring that has the session and does not answer is an
error: taking the file instead would sign the person out and leave the token behind.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from ..errors import KeyringUnusable, SessionStoreFailed
from .file_store import FileStore
from .keyring_store import Backend, KeyringStore, is_note, system_keyring
from .private_file import state_directory
from .store import StateStore

Choice = Literal["auto", "keyring", "file"]

FILE = "session.json"


def open_store(
    directory: Path,
    choice: Choice = "auto",
    *,
    keyring: Callable[[], Backend | None] = system_keyring,
) -> StateStore:
    """Return the store of the app that keeps its state in this directory.

    Raises:
        SessionStoreFailed: `file` was chosen, and a session is in the keyring.
        KeyringUnusable: the keyring was chosen, now or before, and there is none.
    """
    file = FileStore(directory / FILE)
    noted, is_empty = _look(file)
    if choice == "file" and noted:
        raise SessionStoreFailed(
            "the session is in the system's keyring: sign out there first, or give it"
            f" up and remove {file.path}"
        )
    if choice == "file" or (choice == "auto" and not noted and not is_empty):
        return file
    backend = keyring()
    if backend is not None:
        return KeyringStore(file, backend)
    if noted or choice == "keyring":
        raise KeyringUnusable(
            "this system has no keyring that could be used; a session that is in one is"
            f" given up by removing {file.path}"
        )
    return file


def default_directory(app: str) -> Path:
    """Return where this system keeps the state of an app for one person."""
    if sys.platform == "darwin":  # where platformdirs follows XDG_STATE_HOME as well
        return Path.home() / "Library" / "Application Support" / app
    return state_directory(app)


def _look(file: FileStore) -> tuple[bool, bool]:
    """Return whether a file points to the keyring, and whether it is empty.

    A file that other users could read is neither: it stays a `FileStore`, which
    refuses it.
    """
    try:
        text = file.read()
    except SessionStoreFailed:
        return False, False
    return is_note(text), text is None
