"""HTTP responses: the head (RFC 9112) is read here, the body by http.client.

http.client reads headers with the parser for e-mail, which takes as long as all the
rest of a request. It also drops what follows a malformed line, so that a body could end
elsewhere than its host meant. Here such a head is refused.
"""

from __future__ import annotations

import http.client
import re
from http import HTTPStatus
from typing import Any

from urllib3 import HTTPHeaderDict

from .limits import LimitedReader, NotHTTP

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?\r?\n", re.DOTALL)
_BLANK = (b"\r\n", b"\n")


class Answer(http.client.HTTPResponse):
    """A response that is read within limits, and interim ones (1xx) before it."""

    fp: Any  # http.client sets it to None at the end
    headers: Any
    length: int | None
    _method: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fp = LimitedReader(self.fp)

    def begin(self) -> None:
        """Read the head, and that of every interim response before it.

        http.client passes over 100 alone: 103 would be the response, and the response
        that of the next request (RFC 9110 section 15.2).

        Raises:
            NotHTTP: the head breaks RFC 9112.
            HeadTooLarge: see `LimitedReader`.
            http.client.HTTPException, ConnectionError: there is no head.
        """
        version, status, reason = self._read_status()  # type: ignore[attr-defined] # private
        while status < 200 and status != HTTPStatus.SWITCHING_PROTOCOLS:
            _fields(self.fp)
            version, status, reason = self._read_status()  # type: ignore[attr-defined]
        if not version.startswith("HTTP/1."):
            raise NotHTTP
        self.version = 10 if version == "HTTP/1.0" else 11
        self.code, self.status, self.reason = status, status, reason.strip()
        self.headers = _fields(self.fp)
        self.fp.end_head()
        self._frame()

    def read(self, amt: int | None = None) -> bytes:
        """Return up to `amt` bytes of the body; none at its end.

        Raises:
            http.client.IncompleteRead: the connection ended before the body did.
        """
        data = super().read(amt)
        if not data and self.length:
            raise http.client.IncompleteRead(data, self.length)
        return data

    def _frame(self) -> None:
        """Find out where the body ends (RFC 9112 section 6.3)."""
        self.chunked = _is_chunked(self.headers)
        self.chunk_left = None
        self.length = None if self.chunked else _length(self.headers)
        has_none = self.status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
        if has_none or self.status < 200 or self._method == "HEAD":
            self.length = 0
        is_open_ended = not self.chunked and self.length is None
        self.will_close = is_open_ended or self._check_close()  # type: ignore[attr-defined]

    def _read_next_chunk_size(self) -> int:
        """Return the size of the next chunk; http.client would take "-1" for one."""
        size = _CHUNK_SIZE.fullmatch(self.fp.readline())
        if size is None:
            raise http.client.IncompleteRead(b"")
        return int(size[1], 16)


def _fields(reader: LimitedReader) -> HTTPHeaderDict:
    """Read header fields up to the blank line (RFC 9112 section 5).

    A folded line is joined to the one before by a space; white space before the colon
    is dropped.
    """
    fields: list[list[bytes]] = []
    while (line := reader.readline()) not in _BLANK:
        name, colon, value = line.partition(b":")
        name = name.rstrip(b" \t")
        if not line.endswith(b"\n"):
            raise NotHTTP  # the connection ended here
        if line[:1] in b" \t" and fields:
            fields[-1][1] += b" " + line.strip()
        elif colon and _NAME.fullmatch(name):
            fields.append([name, value.strip()])
        else:
            raise NotHTTP
    headers = HTTPHeaderDict()
    for name, value in fields:
        headers.add(name.decode("ascii"), value.decode("iso-8859-1"))
    return headers


def _is_chunked(headers: HTTPHeaderDict) -> bool:
    """Tell whether the body comes in chunks; no other coding was asked for."""
    coding = headers.get("Transfer-Encoding", "identity").lower()
    if coding not in {"chunked", "identity"}:
        raise NotHTTP
    return coding == "chunked"


def _length(headers: HTTPHeaderDict) -> int | None:
    """Return the one Content-Length, which may be there repeatedly."""
    lengths = {one.strip() for one in headers.get("Content-Length", "").split(",")}
    text = lengths.pop()
    if not text:
        return None
    if lengths or not _LENGTH.fullmatch(text):
        raise NotHTTP
    return int(text)
