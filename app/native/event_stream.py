"""`text/event-stream`, as the HTML standard defines it (section 9.2.6), without I/O.

Bytes go in as they arrive, wherever the network cut them; events come out when their
blank line has been seen. An event that the end of the stream cut off never happened,
and its id is not the last one: here that is the difference between a token that has
arrived and one that is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BOM: Final = b"\xef\xbb\xbf"
LONGEST: Final = 65_536
"""Bytes of one line, and of one event's data."""


class EventTooLong(ValueError):
    """The stream sends more than an event may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event: `name` is "message" where the stream gave none."""

    name: str
    data: str
    last_id: str


class EventStream:
    """The parser of one connection.

    `last_id` and `retry` (milliseconds) are what the next connection needs to know.
    """

    def __init__(self, last_id: str = "") -> None:
        """Begin a stream; the last id of the one before goes on to be the last."""
        self.last_id = last_id
        self.retry: int | None = None
        self._id = last_id
        self._name = ""
        self._data: list[str] = []
        self._size = 0
        self._line = bytearray()
        self._after_cr = False
        self._begun = False

    def feed(self, chunk: bytes) -> list[Event]:
        """Take bytes and return the events that they complete.

        Raises:
            EventTooLong: a line, or the data of an event, exceeds the limit.
        """
        events = []
        for line in self._lines(chunk):
            event = self._take(line)
            if event is not None:
                events.append(event)
        return events

    def _lines(self, chunk: bytes) -> list[bytes]:
        """Return the lines that end in a chunk: by CR, LF, or both."""
        if self._after_cr and chunk:
            chunk = chunk[1:] if chunk[:1] == b"\n" else chunk
            self._after_cr = False
        self._after_cr = self._after_cr or chunk.endswith(b"\r")
        *whole, rest = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        lines = []
        for part in whole:
            lines.append(bytes(self._line) + part)
            self._line.clear()
        self._line += rest
        if max(map(len, lines), default=0) > LONGEST or len(self._line) > LONGEST:
            raise EventTooLong("a line of the stream is too long")
        return [self._without_mark(line) for line in lines]

    def _without_mark(self, line: bytes) -> bytes:
        """Drop the byte order mark that a stream may begin with, once."""
        begun, self._begun = self._begun, True
        return line if begun else line.removeprefix(BOM)

    def _take(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatch()
        if line.startswith(b":"):
            return None  # a comment: it keeps the connection alive
        name, _, value = line.decode(errors="replace").partition(":")
        self._set(name, value.removeprefix(" "))
        return None

    def _set(self, name: str, value: str) -> None:
        if name == "event":
            self._name = value
        elif name == "data":
            self._size += len(value) + 1
            if self._size > LONGEST:
                raise EventTooLong("an event of the stream is too long")
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry = int(value[:9])

    def _dispatch(self) -> Event | None:
        self.last_id = self._id
        name, data = self._name or "message", self._data
        self._name, self._data, self._size = "", [], 0
        if not data:
            return None
        return Event(name=name, data="\n".join(data), last_id=self.last_id)
