"""Spooled bodies of /auth/xrpc: temporary files, within a budget of this process."""

from __future__ import annotations

import threading
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final

from app.flows.errors import ServiceBusy

IN_MEMORY: Final = 256 * 1024
"""Bytes of a body that stay in memory; more goes to a file without a name."""


class Spool:
    """Opens temporary files that together hold at most `budget` bytes."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._used = 0
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """The bytes of all files that are open."""
        return self._used

    def open(self) -> IO[bytes]:
        """Return an empty file; closing it gives its bytes back."""
        return _SpooledFile(self)

    def take(self, size: int) -> None:
        """Count bytes that are about to be written.

        Raises:
            ServiceBusy: the budget is used up.
        """
        with self._lock:
            if self._used + size > self._budget:
                raise ServiceBusy("the budget for spooled bodies is used up")
            self._used += size

    def give_back(self, size: int) -> None:
        """Count bytes of a file that was closed."""
        with self._lock:
            self._used -= size


class _SpooledFile(SpooledTemporaryFile[bytes]):
    def __init__(self, spool: Spool) -> None:
        super().__init__(max_size=IN_MEMORY)
        self._spool = spool
        self._counted = 0

    def write(self, data: Any) -> int:
        size = len(memoryview(data))
        self._spool.take(size)
        self._counted += size
        try:
            return super().write(data)
        except OSError as error:
            raise ServiceBusy("there is no room for spooled bodies") from error

    def close(self) -> None:
        counted, self._counted = self._counted, 0
        self._spool.give_back(counted)
        super().close()

    def __exit__(self, *_error: object) -> None:
        self.close()
