"""Reading a private key from a file: others who can read it are refused or named.

`keys import` refuses such a file, as ssh does: a key that others could read may be
theirs. `init` reads the files that settings name and warns, because a secret that a
container is given often has the mode 0444 in a file system of its own.
"""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import IO

import click

from app.doctor.file_modes import open_to_others

LARGEST = 64 * 1024
"""The longest key file that is read, in bytes."""

key_file_argument = click.argument(
    "file",
    type=click.Path(exists=True, dir_okay=False, readable=False, allow_dash=True),
)
"""FILE of a command: a path, or `-` for standard input."""


def read_private_key(path: str | Path, *, refuse: bool) -> bytes:
    """Return the content of a key file; refuse or name a file that is open to others.

    Standard input (`-`) counts as a file where one was redirected, as by `< own.pem`.

    Raises:
        OSError: the file cannot be read.
        ClickException: others can read or change it, and `refuse` is set.
    """
    with click.open_file(os.fspath(path), "rb") as file:
        mode = _mode_of(file)
        if mode is not None and open_to_others(mode):
            name = "standard input" if str(path) == "-" else str(path)
            _say(f"{name} is a file of mode {mode:04o}", refuse=refuse)
        return bytes(file.read(LARGEST))


def _mode_of(file: IO[bytes]) -> int | None:
    """Return the mode of an open file; None for a pipe, which is no file that stays."""
    try:
        status = os.fstat(file.fileno())
    except io.UnsupportedOperation:
        return None
    return stat.S_IMODE(status.st_mode) if stat.S_ISREG(status.st_mode) else None


def _say(what: str, *, refuse: bool) -> None:
    what = f"{what}: other users of this machine can read or change it"
    if refuse:
        msg = (
            f"{what}, so they may have the key. Make a new one; or, if this machine "
            "has no other users, `chmod o-rwx,g-w` the file and run this again"
        )
        raise click.ClickException(msg)
    click.echo(f"warning: {what}; `chmod o-rwx,g-w` it", err=True)
