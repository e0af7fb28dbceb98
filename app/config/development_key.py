"""Makes and keeps the secret key of loopback development.

Never used in production, where an operator provides the key. Several processes may
start at once: the first to link its file wins and all of them read that one.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from .rules import Problem, SettingsInvalid
from .types import SECRET_KEY_BYTES, secret_key

KEY_FILE = "secret_key"


def keep_development_key(directory: Path) -> bytes:
    """Return the key kept in a directory, made with mode 0600 when there is none.

    Raises:
        SettingsInvalid: the file or the directory cannot be used.
    """
    path = directory / KEY_FILE
    try:
        if not path.exists():
            _make(path)
        return secret_key(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        reason = f"the development key in {path} cannot be used: {error}"
        raise SettingsInvalid([Problem("secret_key", reason)]) from error


def _make(path: Path) -> None:
    """Write a whole key aside, then give it its name unless it was given meanwhile."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{KEY_FILE}-")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:  # mkstemp: mode 0600
            file.write(secrets.token_urlsafe(SECRET_KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(aside, path)
        except FileExistsError:
            return
    finally:
        Path(aside).unlink()
