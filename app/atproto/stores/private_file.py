"""A private file: one text that only its owner may read, replaced atomically.

The file's mode is its protection, so a file that other users could read or write is
refused, not repaired: its content may have leaked already. A change happens under a
lock beside the file (`filelock`: the kernel releases it when a process dies) and goes
to a draft, which replaces the file once it is on the disk. A process that dies in the
middle leaves the old text. Reading needs no lock. On Windows the access list of the
person's own profile protects the file. Not for a network file system.

This module imports nothing of its package, because it has two homes:
`app/native/stores/private_file.py` is a link to `app/atproto/stores/private_file.py`.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout
from platformdirs import user_state_path

OWNER_ONLY: Final = 0o600
MAX_BYTES: Final = 16_000_000
"""A file that is longer was not written by this module."""

LOCK_POLL_SECONDS: Final = 0.01

_FLAGS: Final = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)
"""Links are not followed, and opening a pipe in the file's place does not block."""


class FileUnusable(OSError):
    """The file cannot be trusted, read or written; the message says what to do."""


class PrivateFile:
    """One text in a file of mode 0600, in a directory that is made with mode 0700."""

    def __init__(self, path: Path, *, patience: float = 10.0) -> None:
        """Name the file; nothing is created before the first change.

        Other processes hold the lock for milliseconds: a change fails after `patience`
        seconds without it.
        """
        self.path = path
        self._lock_path = path.with_name(f"{path.name}.lock")
        self._draft = path.with_name(f"{path.name}.new")
        self._patience = patience

    def read(self) -> str | None:
        """Return the text, or None when there is no file.

        Raises:
            FileUnusable: a link, another user's file, one that other users may read or
                write, or one that the system cannot read.
        """
        with _as_unusable(self.path):
            return self._text()

    def exchange(self, change: Callable[[str | None], str | None]) -> None:
        """Replace the text by what `change` returns for it; None deletes the file.

        An unchanged text is not written. When `change` raises, the old text stays.

        Raises:
            FileUnusable: as `read`; or another process kept the lock for too long.
        """
        with self.locked():
            before = self.read()
            after = change(before)
            if after is None:
                self._delete()
            elif after != before:
                self.replace(after)

    def remove(self, also: Callable[[], None] = lambda: None) -> None:
        """Delete the file, even one that `read` refuses; run `also` under the lock.

        Raises:
            FileUnusable: it cannot be deleted, or the lock was not free in time.
        """
        with self.locked():
            self._delete()
            also()

    def version(self) -> tuple[int, int, int]:
        """Return a value that differs after each change, without opening the file."""
        try:
            status = self.path.lstat()
        except OSError:
            return (0, 0, 0)
        return (status.st_ino, status.st_mtime_ns, status.st_ctime_ns)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock, against other processes and other threads.

        Raises:
            FileUnusable: the lock was not free in time, or its file is not ours.
        """
        with _as_unusable(self._lock_path):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make_lock(self._lock_path)
            lock = FileLock(self._lock_path, timeout=self._patience, mode=OWNER_ONLY)
            try:
                lock.acquire(poll_interval=LOCK_POLL_SECONDS)
            except Timeout as error:
                message = f"{self._lock_path} is held by another process"
                raise FileUnusable(message) from error
        try:
            yield
        finally:
            lock.release()

    def replace(self, text: str) -> None:
        """Write the text. Call it inside `locked` only.

        When this returns, the new text outlives a crash of the machine.

        Raises:
            FileUnusable: the text cannot be written; the old one is unchanged.
        """
        with _as_unusable(self.path):
            self._draft.unlink(missing_ok=True)  # left by a process that died here
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with os.fdopen(_open_private(self._draft, flags), "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            self._draft.replace(self.path)
            self._sync_directory()

    def _text(self) -> str | None:
        try:
            descriptor = _open_private(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            return file.read(MAX_BYTES).decode(errors="replace")

    def _delete(self) -> None:
        with _as_unusable(self.path):
            self._draft.unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)
            self._sync_directory()

    def _sync_directory(self) -> None:
        """Flush the directory: a rename or a deletion is a change of it."""
        if sys.platform == "win32":
            return  # a directory cannot be opened there, and NTFS journals renames
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def state_directory(program: str) -> Path:
    """Return where this system keeps the state of a program for one person.

    `$XDG_STATE_HOME` or `~/.local/state`, and the equivalent on macOS and Windows.
    """
    return user_state_path(program, appauthor=False)


@contextmanager
def _as_unusable(path: Path) -> Iterator[None]:
    """Translate the system's errors about a file into FileUnusable."""
    try:
        yield
    except FileUnusable:
        raise
    except OSError as error:
        is_link = error.errno == errno.ELOOP  # the error of O_NOFOLLOW for a link
        reason = "it is a link" if is_link else error.strerror or str(error)
        raise FileUnusable(f"{path} cannot be used: {reason}") from error


def _open_private(path: Path, flags: int) -> int:
    """Open a file that only we may use; the open file is checked, not its name.

    Raises:
        FileUnusable: not a plain file, another user's, or open to other users.
    """
    descriptor = os.open(path, flags | _FLAGS, OWNER_ONLY)
    if _is_private(os.fstat(descriptor)):
        return descriptor
    os.close(descriptor)
    raise FileUnusable(
        f"{path} is not yours alone: other users may have read what is in it. Remove it"
        f" and sign in again, or, if you alone use this machine, chmod 600 {path}"
    )


def _make_lock(path: Path) -> None:
    """Make the lock file, or correct the mode of ours.

    It holds nothing that other users could have read, so a loose mode is repaired: a
    refusal would keep a person from signing out.

    Raises:
        FileUnusable: not a plain file, or another user's.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, OWNER_ONLY)
    try:
        status = os.fstat(descriptor)
        if _is_private(status):
            return
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            raise FileUnusable(f"{path} is not yours: remove it")
        os.fchmod(descriptor, OWNER_ONLY)
    finally:
        os.close(descriptor)


def _is_private(status: os.stat_result) -> bool:
    if not stat.S_ISREG(status.st_mode):
        return False
    if sys.platform == "win32":
        return True  # it has no modes; the profile's access list protects the file
    return status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o077
