"""Spooled bodies of /auth/xrpc: temporary files, within a budget of this process.

A reader that takes an answer slowly keeps its file for as long. When room is needed,
files that are overdue are taken away, the oldest first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final

from app.flows.errors import ServiceBusy

IN_MEMORY: Final = 256 * 1024
"""Bytes of a body that stay in memory; more goes to a file without a name."""

PATIENCE: Final = 60.0
"""Seconds for which every file is kept: its call may take as long."""

SLOWEST_READER: Final = 64 * 1024
"""Bytes a second: for each as many, a file is kept for a second more."""


class Spool:
    """Opens temporary files that together hold at most `budget` bytes."""

    def __init__(
        self, budget: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._budget = budget
        self._clock = clock
        self._used = 0
        self._files: dict[_SpooledFile, float] = {}
        self._lock = threading.RLock()

    @property
    def used(self) -> int:
        """The bytes of all files that are open."""
        return self._used

    def open(self) -> IO[bytes]:
        """Return an empty file; closing it gives its bytes back."""
        file = _SpooledFile(self)
        with self._lock:
            self._files[file] = self._clock()
        return file

    def take(self, size: int) -> None:
        """Count bytes that are about to be written.

        Raises:
            ServiceBusy: the budget is used up, and no file is overdue.
        """
        with self._lock:
            if self._used + size > self._budget:
                self._take_away_overdue()
            if self._used + size > self._budget:
                raise ServiceBusy("the budget for spooled bodies is used up")
            self._used += size

    def give_back(self, size: int, file: _SpooledFile | None = None) -> None:
        """Count bytes of a file that was closed."""
        with self._lock:
            if file is not None:
                self._files.pop(file, None)
            self._used -= size

    def _take_away_overdue(self) -> None:
        now = self._clock()
        for file, opened in list(self._files.items()):
            if now - opened > PATIENCE + file.counted / SLOWEST_READER:
                file.close()


class _SpooledFile(SpooledTemporaryFile[bytes]):
    """A file of a spool; one that was taken away raises ServiceBusy when it is used."""

    def __init__(self, spool: Spool) -> None:
        super().__init__(max_size=IN_MEMORY)
        self._spool = spool
        self.counted = 0

    def read(self, *size: int) -> bytes:
        self._require_open()
        return super().read(*size)

    def write(self, data: Any) -> int:
        self._require_open()
        size = len(memoryview(data))
        self._spool.take(size)
        self.counted += size
        try:
            return super().write(data)
        except OSError as error:
            raise ServiceBusy("there is no room for spooled bodies") from error

    def close(self) -> None:
        counted, self.counted = self.counted, 0
        self._spool.give_back(counted, self)
        super().close()

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _require_open(self) -> None:
        if self.closed:
            raise ServiceBusy("a spooled body was kept for too long")
