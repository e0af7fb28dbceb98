"""Request bodies under gunicorn: a time limit, pauses and a bound for small chunks.

gunicorn waits for a body without end, and parses chunks without a pause: 50 MB in
chunks of one byte would be minutes of CPU in which the worker serves no other request.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import gevent
from gunicorn.http.body import ChunkedReader, LengthReader
from gunicorn.http.errors import ParseException

CHUNKS_WITHOUT_PAUSE = 256
"""Then other greenlets get their turn: a few hundred microseconds of parsing."""

FREE_CHUNKS = 10_000
"""So many chunks may be of any size; a client that streams line by line sends fewer."""

BYTES_OF_A_CHUNK = 128
"""The least average size of the chunks after those."""


def limited(body: Any, seconds: float) -> Any:
    """Return gunicorn's body with the limits of `TimedBody`; an empty one needs none.

    Most requests have none, and gunicorn reads it to its end: a timer for nothing.
    """
    reader = body.reader
    is_empty = isinstance(reader, LengthReader) and reader.length == 0
    return body if is_empty else TimedBody(body, seconds)


class TimedBody:
    """A request's body with limits; a body that breaks one is the client's error.

    The application gets an OSError for a body that is late, framed wrongly, or made of
    too many small chunks.
    """

    def __init__(self, body: Any, seconds: float) -> None:
        """Wrap gunicorn's body, which must be there after so many seconds."""
        self._body = body
        self._ends = time.monotonic() + seconds
        self.failed = False  # gunicorn asks, and serves nothing after what failed
        if isinstance(body.reader, ChunkedReader):
            body.reader.parser = _bounded(body.reader.parser)

    def read(self, size: int | None = None) -> bytes:
        """Read so many bytes, or all there are; the application reads no lines.

        Raises:
            OSError: the body came too slowly, or is not framed as it should be.
        """
        left = max(self._ends - time.monotonic(), 0.001)
        try:
            with gevent.Timeout(left, TimeoutError("the body comes too slowly")):
                content: bytes = self._body.read(size)
                return content
        except ParseException as error:
            self.failed = True
            raise OSError("the body is framed wrongly") from error
        except BaseException:
            self.failed = True
            raise


def _bounded(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the parts of a chunked body, with pauses for other greenlets.

    Raises:
        ParseException: too many of the chunks are small.
    """
    received = 0
    for count, part in enumerate(parts):
        received += len(part)
        if count > FREE_CHUNKS + received // BYTES_OF_A_CHUNK:
            raise ParseException("too many small chunks")
        if count % CHUNKS_WITHOUT_PAUSE == 0:
            gevent.sleep(0)
        yield part
