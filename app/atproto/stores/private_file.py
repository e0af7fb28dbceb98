"""A JSON file that nobody else may read, changed by many processes and never torn.

Its mode is the protection, so a file that others could have read or written is refused
rather than mended: what was in it is no secret any more. A change happens under a lock
beside the file (flock: the kernel drops it when a process dies), in a new file that
takes the old one's place once it is on the disk; whoever dies in the middle leaves the
old one. Reading needs no lock. POSIX only, and not for a network file system.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PRIVATE: Final = 0o600
LOCK_PAUSE: Final = 0.01
"""Seconds between two attempts at the lock."""


class FileUnusable(OSError):
    """The file cannot be trusted, or not be read; the message says what to do."""


class PrivateFile:
    """One JSON object in a file of mode 0600."""

    def __init__(self, path: Path, *, patience: float = 10.0) -> None:
        """Name the file; its directory is made now, with mode 0700, if it is missing.

        Others hold the lock for milliseconds: after `patience` seconds something is
        wrong.

        Raises:
            FileUnusable: on a system without POSIX file modes and locks.
        """
        if sys.platform == "win32":
            raise FileUnusable("files with secrets need POSIX modes and locks")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._attempts = 1 + int(patience / LOCK_PAUSE)
        self._path = path
        self._lock = path.with_name(f"{path.name}.lock")
        self._draft = path.with_name(f"{path.name}.new")

    def read(self) -> dict[str, Any]:
        """Return what the file says; {} when there is none.

        Raises:
            FileUnusable: of another owner or mode, or damaged.
        """
        return self._parsed(self._text())

    @contextmanager
    def changing(self) -> Iterator[dict[str, Any]]:
        """Hand out the content to be changed in place; write it when all went well.

        Raises:
            FileUnusable: as `read`; or others kept the lock for too long.
        """
        with self._locked():
            before = self._text()
            content = self._parsed(before)
            yield content
            after = json.dumps(content, indent=1)
            if after != before:
                self._write(after)

    def _text(self) -> str:
        try:
            descriptor = _opened(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return "{}"
        with os.fdopen(descriptor, encoding="utf-8") as file:
            return file.read()

    def _parsed(self, text: str) -> dict[str, Any]:
        try:
            content = json.loads(text)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise FileUnusable(f"{self._path} is damaged: remove it and sign in again")
        return content

    def _write(self, text: str) -> None:
        """Put a new file in the old one's place (requirement 7.8: it must be kept)."""
        self._draft.unlink(missing_ok=True)  # of somebody who died here
        descriptor = _opened(self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        self._draft.replace(self._path)
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock; each holder opens the file anew, so threads exclude, too."""
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
        raise FileUnusable(f"{self._lock} is held by another process")


def _opened(path: Path, flags: int) -> int:
    """Open a file that is ours alone, judged by the open file and not by its name.

    Raises:
        FileUnusable: a link, another's file, or one that others may read or write.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise FileUnusable(f"{path} cannot be opened: {error.strerror}") from error
    status = os.fstat(descriptor)
    is_ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
    if not is_ours or stat.S_IMODE(status.st_mode) & 0o077:
        os.close(descriptor)
        raise FileUnusable(
            f"{path} is not yours alone: remove it and sign in again, or, if nobody"
            f" else uses this machine, chmod 600 {path}"
        )
    return descriptor
