"""Limits on what one HTTP response costs: head, bytes on the wire, number of reads.

The body's own limit is the caller's (`HTTP.request`). These limits stop what that one
cannot see: endless headers and trailers, and bodies in one-byte pieces, which cost CPU
and not bytes. Every few reads other greenlets and threads get a turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

MAX_WIRE_BYTES: Final = 4_000_000
"""Bytes of one response on the wire, framing included, or twice the body's limit."""

MAX_HEAD_BYTES: Final = 16_000
"""Bytes of a response's head: interim responses (1xx), status line and headers."""

MAX_HEAD_LINES: Final = 100
MAX_LINE_BYTES: Final = 8_000

FREE_READS: Final = 8_192
BYTES_PER_READ: Final = 8
"""Average bytes that each further read has to return."""

READS_PER_TURN: Final = 256

_wire_limit: ContextVar[int | None] = ContextVar("wire_limit", default=None)
_is_wanted: ContextVar[Callable[[], bool]] = ContextVar(
    "is_wanted", default=lambda: True
)


class WireLimitReached(Exception):
    """The response is longer on the wire than any response may be."""


class HeadTooLarge(WireLimitReached):
    """The head, or one line of it, is too long."""


class TooFragmented(Exception):
    """The response arrives in too many small pieces."""


class NotWanted(Exception):
    """The request was given up by its caller, who has the answer from elsewhere."""


class NotHTTP(Exception):
    """The head has a CR that no LF follows (RFC 9112 section 2.2)."""

    def __str__(self) -> str:
        return "its answer is not HTTP"


@contextmanager
def wire_limit(body_limit: int) -> Iterator[None]:
    """Allow longer responses in this context, for a body of up to `body_limit`.

    Twice its length, because small chunks have much framing. A context variable,
    because urllib3 passes nothing but seconds to a socket.
    """
    before = _wire_limit.set(max(MAX_WIRE_BYTES, 2 * body_limit))
    try:
        yield
    finally:
        _wire_limit.reset(before)


def current_wire_limit() -> int:
    """Return the bytes that a response may have on the wire in this context."""
    return _wire_limit.get() or MAX_WIRE_BYTES


def is_exchanging() -> bool:
    """Return whether this context sends a request of ours, and no other library's."""
    return _wire_limit.get() is not None


@contextmanager
def wanted_while(is_wanted: Callable[[], bool]) -> Iterator[None]:
    """Give up the requests of this context once `is_wanted` returns False.

    They raise `NotWanted` when they next use their socket: a TLS handshake or an answer
    that arrives later costs nothing more.
    """
    before = _is_wanted.set(is_wanted)
    try:
        yield
    finally:
        _is_wanted.reset(before)


def current_is_wanted() -> Callable[[], bool]:
    """Return the function that tells whether this context's requests are wanted."""
    return _is_wanted.get()


class Pace:
    """Counts the reads of one response, and gives other greenlets a turn."""

    def __init__(self) -> None:
        self._reads = 0
        self._bytes = 0

    def count(self, received: int) -> None:
        """Count a read that returned so many bytes.

        Raises:
            TooFragmented: the reads return too few bytes on average.
        """
        self._reads += 1
        self._bytes += received
        if self._reads % READS_PER_TURN == 0:
            time.sleep(0)
        if self._reads > FREE_READS + self._bytes // BYTES_PER_READ:
            raise TooFragmented


class LimitedReader:
    """The file from which http.client and urllib3 read a response, with limits."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._pace = Pace()
        self._head_bytes = MAX_HEAD_BYTES
        self._head_lines = MAX_HEAD_LINES
        self._is_head = True

    def end_head(self) -> None:
        """Read a body from now on: chunk sizes, their content, and trailers."""
        self._is_head = False

    def readline(self, _limit: int = -1) -> bytes:
        """Return a line.

        Raises:
            HeadTooLarge: the line or the head is too long.
            NotHTTP: a line of the head has a bare CR.
            TooFragmented: see `Pace`.
        """
        line: bytes = self._file.readline(MAX_LINE_BYTES + 1)
        if len(line) > MAX_LINE_BYTES:
            raise HeadTooLarge
        if self._is_head:
            self._count_head(line)  # their number is limited, too
        else:
            self._pace.count(0)
        return line

    def read(self, size: int = -1) -> bytes:
        """Return bytes of the body."""
        data: bytes = self._file.read(size)
        self._pace.count(len(data))
        return data

    def readinto(self, buffer: Any) -> int:
        """Read bytes of the body into a buffer."""
        count: int = self._file.readinto(buffer)
        self._pace.count(count)
        return count

    def _count_head(self, line: bytes) -> None:
        self._head_bytes -= len(line)
        self._head_lines -= 1
        if self._head_bytes < 0 or self._head_lines < 0:
            raise HeadTooLarge
        if b"\r" in line.removesuffix(b"\r\n"):
            raise NotHTTP

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
