"""Fetch a document of the service: https, no redirect, bounded in bytes and seconds."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.client import HTTPException
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

if TYPE_CHECKING:
    from http.client import HTTPMessage

TIMEOUT: Final = 5.0
"""Seconds that each read of the answer may take, and its whole body."""

MAX_BYTES: Final = 4 * 1024 * 1024
"""The largest document that is read."""

LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")

DEFAULT_PORTS: Final = {"https": "443", "http": "80"}

_ORIGIN: Final = re.compile(
    r"(https?)://([a-z0-9_.-]+|\[::1\])(?::([1-9][0-9]{0,4}))?", re.ASCII
)

Fetch = Callable[[str], bytes]
"""GET a URL; return the body of a 200. OSError for every other outcome."""


class _NoRedirect(HTTPRedirectHandler):
    """Refuses redirects: the keys come from the address that was configured."""

    def redirect_request(  # noqa: PLR0917 # urllib's signature
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        """Return None, so that the redirect becomes an HTTPError."""


_OPENER = build_opener(_NoRedirect)
_HEADERS: Final[Mapping[str, str]] = {"User-Agent": "latchkey-verify", "Accept": "*/*"}


def fetch(url: str, *, clock: Callable[[], float] = time.monotonic) -> bytes:
    """GET a URL and return the body.

    Raises:
        OSError: no answer, another status than 200, more than `MAX_BYTES`, or a body
            that takes longer than `TIMEOUT`.
    """
    request = Request(url, headers=dict(_HEADERS))  # noqa: S310 # see checked_origin
    try:
        with _OPENER.open(request, timeout=TIMEOUT) as response:
            if response.status != HTTPStatus.OK:
                msg = f"{url} answers with status {response.status}"
                raise OSError(msg)
            return _body(response, url, clock)
    except HTTPError as error:
        error.close()
        msg = f"{url} answers with status {error.code}"
        raise OSError(msg) from error
    except (HTTPException, ValueError) as error:
        msg = f"{url} gives no readable answer"
        raise OSError(msg) from error


def _body(response: Any, url: str, clock: Callable[[], float]) -> bytes:
    """Read what arrives, as it arrives: a read may wait, and so may each of them."""
    body, deadline = bytearray(), clock() + TIMEOUT
    while part := response.read1(MAX_BYTES):
        body += part
        if len(body) > MAX_BYTES:
            msg = f"{url} is larger than {MAX_BYTES} bytes"
            raise OSError(msg)
        if clock() > deadline:
            msg = f"{url} takes longer than {TIMEOUT:.0f} seconds"
            raise OSError(msg)
    return bytes(body)


def checked_origin(issuer: str) -> str:
    """Return the service's origin, `https://HOST[:PORT]`, as it was given.

    The service writes its own as a URL parser does, so another form of it would refuse
    every token: capitals, a port that is the scheme's own, a user.

    Raises:
        ValueError: another form, or plain http to a host that is not this machine.
    """
    parts = _ORIGIN.fullmatch(issuer)
    scheme, host, port = parts.groups("") if parts else ("", "", "")
    is_secure = scheme == "https" or host in LOOPBACK
    if not is_secure or port == DEFAULT_PORTS[scheme]:
        msg = f"write the issuer as https://HOST, without a path or slash: {issuer!r}"
        raise ValueError(msg)
    return issuer
