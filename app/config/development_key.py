"""The secret key of loopback development: made once, kept in a private file.

Not used in production, where the operator sets SECRET_KEY. Several processes may start
at once: one of them makes the key and all of them read that one.
"""

from __future__ import annotations

from pathlib import Path
from secrets import token_urlsafe

from app.atproto.stores.private_file import PrivateFile

from .rules import Problem, SettingsInvalid
from .types import SECRET_KEY_BYTES, secret_key

KEY_FILE = "secret_key"


def keep_development_key(directory: Path) -> bytes:
    """Return the key in a directory, made with mode 0600 when there is none.

    Raises:
        SettingsInvalid: the file or the directory cannot be used.
    """
    file = PrivateFile(directory / KEY_FILE)
    try:
        if file.read() is None:
            file.exchange(lambda kept: kept or token_urlsafe(SECRET_KEY_BYTES) + "\n")
        return secret_key((file.read() or "").strip())
    except (OSError, ValueError) as error:
        reason = f"the development key in {file.path} cannot be used: {error}"
        raise SettingsInvalid([Problem("secret_key", reason)]) from error
