"""Request heads under gunicorn: a bound for all of a head, while it is read.

gunicorn bounds the number and the length of the lines alone: together they may be half
a megabyte, of which a long Accept or Cookie takes hundreds of milliseconds to parse.
"""

from __future__ import annotations

from gunicorn.http.errors import LimitRequestHeaders
from gunicorn.http.message import Request

MOST_HEAD = 32_768
"""Bytes of the names and values of a head: what nginx passes on by default."""


class BoundedRequest(Request):  # type: ignore[misc] # gunicorn has no types
    """A request whose head is answered with 431 when it is too long."""

    def parse(self, unreader: object) -> bytes:
        """Read the head.

        Raises:
            LimitRequestHeaders: it is too long.
        """
        self.max_buffer_headers = MOST_HEAD
        rest: bytes = super().parse(unreader)
        if sum(len(name) + len(value) for name, value in self.headers) > MOST_HEAD:
            raise LimitRequestHeaders("the head is too long")
        return rest
