"""What the library knows of HTTP: a time budget, an answer, and the door as a port.

Nothing here opens a connection; `http/client.py` does, and tests may put something else
in its place. Statuses are values. Bodies are small enough to be held in memory, unless
the caller brings a file for them: an `Upload` to send, a sink to receive into.
"""

from __future__ import annotations

import codecs
import json
import re
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, NoReturn, Protocol
from urllib.parse import urlsplit

from urllib3 import HTTPHeaderDict

from ..errors import DocumentInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ERROR_LIMIT = 64_000
"""Bytes of an error's body when those of a success go into a sink."""

_LONE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class Deadline:
    """One time budget, shared by all the requests of a flow."""

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
        """Return the sooner of this deadline and one so many seconds from now."""
        return Deadline(min(self.ends, self.monotonic() + seconds), self.monotonic)


@dataclass(frozen=True, slots=True)
class Upload:
    """A body that is too long for memory: a file, read from its start each time.

    So it can go out again after a nonce challenge or a refresh (requirement 5.13).
    """

    file: IO[bytes] = field(repr=False)
    size: int


Body = bytes | Upload | None
"""What may be sent."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, whatever its status: read to its end and within its limit.

    Names of headers are found in any spelling. A redirect comes without its body, and
    so does a success whose body went into a sink.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    url: str = field(repr=False)

    def __post_init__(self) -> None:
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
        """Return the body as a JSON object.

        What two readers could understand differently is refused as well: repeated
        names, NaN, and text that is not Unicode.

        Raises:
            DocumentInvalid: the body is something else (requirement 9.4).
        """
        host = urlsplit(self.url).hostname or ""
        try:
            document = parse_json(self.body)
        except ValueError as error:
            raise DocumentInvalid(host, "its answer is not JSON") from error
        if not isinstance(document, dict):
            raise DocumentInvalid(host, "its answer is not a JSON object")
        return document


class HTTP(Protocol):
    """The outgoing door, as the rest of the library sees it."""

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
        """Send one request and return the answer, whatever its status.

        `limit` caps the bytes of the body, `timeout` the seconds of this call and
        `deadline` those of the whole flow. Only a GET follows redirects, three at most;
        without them, or after them, a redirect is an answer like any other. The body of
        a success (2xx) goes into the `sink`, if there is one, and that of an error into
        memory, where it can be read: ERROR_LIMIT bytes at most.

        Raises:
            UnsafeURL: we refuse to go there; nothing was sent there.
            HostUnreachable: no (complete) answer; `sent` tells what may have arrived.
                HostUnknown: its name has no address. HostCircuitOpen: it was not asked,
                because it failed again and again just now.
            ResponseTooLarge: the answer is longer than `limit`.
            ServerInvalid: the answer has an encoding that was not asked for.
        """
        ...


def parse_json(encoded: bytes) -> Any:
    """Read JSON that two readers could not understand differently.

    Raises:
        ValueError: it is none, is nested too deeply, repeats a name, has a constant
            that JSON does not know, or is not Unicode.
    """
    text = encoded.removeprefix(codecs.BOM_UTF8).decode()
    try:
        document = json.loads(
            text, object_pairs_hook=_unrepeated, parse_constant=_refuse_constant
        )
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if _LONE_SURROGATE.search(text):
        json.dumps(document, ensure_ascii=False).encode()  # or UnicodeEncodeError
    return document


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a name is repeated")
    return names


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
