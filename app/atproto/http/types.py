"""HTTP types: deadline, response, upload, and the protocol of the outgoing client.

Nothing here opens a connection; `http/client.py` does, and tests may replace it. A
status is a value and not an exception. Bodies are held in memory, unless the caller
brings a file: an `Upload` to send, a sink to receive into.
"""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Protocol
from urllib.parse import urlsplit

from urllib3 import HTTPHeaderDict

from ..errors import DocumentInvalid
from ..syntax.foreign_json import parse_json

ERROR_LIMIT = 64_000
"""Bytes of an error's body when the body of a success goes into a sink."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A time limit, shared by all the requests of a flow."""

    ends: float
    monotonic: Callable[[], float] = time.monotonic

    @classmethod
    def after(
        cls, seconds: float, monotonic: Callable[[], float] = time.monotonic
    ) -> Deadline:
        """Return a deadline so many seconds from now."""
        return cls(monotonic() + seconds, monotonic)

    def remaining(self) -> float:
        """Return the seconds that are left; zero or less when the time is over."""
        return self.ends - self.monotonic()

    def within(self, seconds: float) -> Deadline:
        """Return the earlier of this deadline and one so many seconds from now."""
        return Deadline(min(self.ends, self.monotonic() + seconds), self.monotonic)


@dataclass(frozen=True, slots=True)
class Upload:
    """A body that is too long for memory: a file, read from its start each time.

    It can be sent again after a nonce challenge or a refresh (requirement 5.13).
    """

    file: IO[bytes] = field(repr=False)
    size: int


Body = bytes | Upload | None
"""What may be sent."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response of any status, read to its end and within its limit.

    Header names are case-insensitive. A redirect comes without its body, and so does a
    success whose body went into a sink.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    url: str = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.headers, HTTPHeaderDict):
            object.__setattr__(self, "headers", HTTPHeaderDict(self.headers))

    @property
    def content_type(self) -> str:
        """Return the media type in lower case, without parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def is_firewall_page(self) -> bool:
        """Tell whether a firewall answered for the host: 401 or 403 with a web page."""
        return self.status in {401, 403} and self.content_type == "text/html"

    def json_object(self) -> dict[str, Any]:
        """Return the body as a JSON object; a byte order mark is dropped.

        Raises:
            DocumentInvalid: `parse_json` refuses it, or it is no object
                (requirement 9.4).
        """
        host = urlsplit(self.url).hostname or ""
        try:
            document = parse_json(self.body.removeprefix(codecs.BOM_UTF8))
        except ValueError as error:
            raise DocumentInvalid(host, "its answer is not JSON") from error
        if not isinstance(document, dict):
            raise DocumentInvalid(host, "its answer is not a JSON object")
        return document


class HTTP(Protocol):
    """The outgoing HTTP client, as the rest of the library sees it."""

    def request(
        self,
        method: str,
        url: str,
        *,
        deadline: Deadline,
        limit: int,
        headers: Mapping[str, str] | None = None,
        body: Body = None,
        sink: IO[bytes] | None = None,
        redirects: int = 0,
        timeout: float = 10.0,
    ) -> Response:
        """Send one request and return the response, of any status.

        `limit` caps the bytes of the body, `timeout` the seconds of this call and
        `deadline` those of the whole flow. Only a GET follows redirects, three at most;
        without them, or after them, a redirect is a response like any other. The body
        of a success (2xx) goes into the `sink`, if there is one, and that of an error
        into memory: ERROR_LIMIT bytes at most.

        Raises:
            UnsafeURL: the policy refuses the URL; nothing was sent there.
            HostUnreachable: no complete response; `sent` tells whether the request may
                have arrived. HostUnknown: the name has no address. HostCircuitOpen: the
                host was not asked, because it failed several times in a row.
            ClientBusy: too many name lookups are waiting.
            ResponseTooLarge: the response is longer than `limit`.
            ServerInvalid: the response is compressed, which was not asked for.
        """
