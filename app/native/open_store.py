"""Which store an app has: a clear choice, made once and kept.

`auto` stays with whatever keeps the state already. Only an app that keeps nothing yet
is free to choose, and takes the keyring where there is one. A keyring that kept the
session and does not answer is an error to be shown: taking the file instead would sign
the person out and leave the token behind.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .errors import KeyringUnusable, SessionStoreFailed
from .file_store import FileStore
from .keyring_store import KeyringStore, is_note, system_keyring

if TYPE_CHECKING:
    from collections.abc import Callable

    from .keyring_store import Backend
    from .store import StateStore

Choice = Literal["auto", "keyring", "file"]

FILE = "session.json"


def open_store(
    directory: Path,
    choice: Choice = "auto",
    *,
    keyring: Callable[[], Backend | None] = system_keyring,
) -> StateStore:
    """Return the store of the app whose state is below this directory.

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
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / app
    chosen = os.environ.get("XDG_STATE_HOME", "")
    base = Path(chosen) if Path(chosen).is_absolute() else Path.home() / ".local/state"
    return base / app


def _look(file: FileStore) -> tuple[bool, bool]:
    """Tell whether a file points to the keyring, and whether it says nothing.

    One that others could read is neither: it stays the file's, which refuses it.
    """
    try:
        text = file.read()
    except SessionStoreFailed:
        return False, False
    return is_note(text), text is None
