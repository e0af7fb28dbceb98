"""The state in a file that nobody else may read, never torn and never half.

The mode of the file is its protection, so one that others could have read or written is
refused rather than mended: what was in it is no secret any more. A change happens under
a lock beside the file (flock: the kernel drops it when a process dies), in a draft that
takes the file's place once it is on the disk. Reading needs no lock. POSIX only, and
not for a network file system.

`app.atproto` has a file of this kind for command lines of its own; importing it would
bring DNS, JOSE and the whole protocol into every desktop app. So this one stands here.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from .errors import SessionStoreFailed

if sys.platform != "win32":
    import fcntl

    FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    """No link is followed, and a pipe in the file's place keeps nobody waiting."""

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .store import StateStore

PRIVATE: Final = 0o600
LOCK_PAUSE: Final = 0.01
LARGEST: Final = 64_000
"""Bytes; a state has about two thousand."""


class FileStore:
    """One text in a file of mode 0600, in a directory of mode 0700."""

    def __init__(self, path: Path, *, patience: float = 10.0) -> None:
        """Name the file; nothing is made before something is kept.

        Others hold the lock for milliseconds: after `patience` seconds something is
        wrong.
        """
        self.path = path
        self._lock = path.with_name(f"{path.name}.lock")
        self._draft = path.with_name(f"{path.name}.new")
        self._attempts = 1 + int(patience / LOCK_PAUSE)

    def read(self) -> str | None:
        """Return the text."""
        with _explained(self.path):
            return self._text()

    def exchange(self, change: Callable[[str | None], str | None]) -> None:
        """Replace the text; one that did not change is not written again."""
        with _explained(self.path), self._locked():
            before = self._text()
            after = change(before)
            if after is None:
                self._delete()
            elif after != before:
                self._write(after)

    def remove(self, also: Callable[[], None] = lambda: None) -> None:
        """Remove the file, whoever could read it; do `also` under the same lock."""
        with _explained(self.path), self._locked():
            self._delete()
            also()

    def version(self) -> tuple[int, int, int]:
        """Return what the file system says: each change makes another file."""
        try:
            status = self.path.lstat()
        except OSError:
            return (0, 0, 0)
        return (status.st_ino, status.st_mtime_ns, status.st_ctime_ns)

    def _text(self) -> str | None:
        try:
            descriptor = _opened(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            return file.read(LARGEST).decode(errors="replace")

    def _write(self, text: str) -> None:
        self._draft.unlink(missing_ok=True)  # of somebody who died here
        descriptor = _opened(self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        self._draft.replace(self.path)
        self._settle()

    def _delete(self) -> None:
        self._draft.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        self._settle()

    def _settle(self) -> None:
        """Have the directory on the disk, too: a rename is a change of it."""
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock; each holder opens the file anew, so threads exclude, too."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = _opened(self._lock, os.O_RDWR | os.O_CREAT)
        try:
            self._wait_for(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _wait_for(self, descriptor: int) -> None:
        for _ in range(self._attempts):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(LOCK_PAUSE)
            else:
                return
        raise SessionStoreFailed(f"{self._lock} is held by another process")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    if sys.platform == "win32":
        raise SessionStoreFailed("files with secrets need POSIX modes and locks")
    try:
        yield
    except OSError as error:
        is_link = error.errno == errno.ELOOP  # what O_NOFOLLOW says of one
        reason = "it is a link" if is_link else error.strerror or str(error)
        raise SessionStoreFailed(f"{path} cannot be used: {reason}") from error


def _opened(path: Path, flags: int) -> int:
    """Open a file that is ours alone, judged by the open file and not by its name."""
    descriptor = os.open(path, flags | FLAGS, PRIVATE)
    status = os.fstat(descriptor)
    is_ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
    if is_ours and not stat.S_IMODE(status.st_mode) & 0o077:
        return descriptor
    os.close(descriptor)
    raise SessionStoreFailed(
        f"{path} is not yours alone: others may have read the session in it."
        " Sign out to remove it, and sign in again."
    )


if TYPE_CHECKING:

    def _fits(store: FileStore) -> StateStore:
        return store
