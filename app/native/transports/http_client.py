"""The HTTP client for the service: `requests`, with TLS and bounds always on.

The service's own client for other servers (`app/atproto/http/client.py`) checks every
address, because strangers choose them. Here one address is asked, the person's own
platform, which may well be a private one. What matters instead: TLS is always verified,
no redirect is followed, no password of ~/.netrc is sent, and each answer ends and is
small. Proxies of the environment are used, but not towards this machine itself.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ReadTimeoutError

from ..errors import ServerUnreachable, printable
from ..urls import is_loopback
from .connection import Connection

CONNECT_LIMIT: Final = 10.0
"""Seconds."""
LARGEST: Final = 65_536
"""Bytes of an answer of the service; its own are far smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An HTTP response; a body longer than `LARGEST` is cut one byte after it."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def content_type(self) -> str:
        """Return the media type in lower case, without parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()


class HttpClient:
    """Sends requests to services; threads may share it, since it keeps nothing open."""

    def __init__(self, *, user_agent: str, ca_bundle: Path | None = None) -> None:
        """Name the app; `ca_bundle` replaces the usual certificates."""
        self._headers = {"User-Agent": user_agent, "Accept-Encoding": "identity"}
        self._verify: bool | str = True if ca_bundle is None else str(ca_bundle)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        within: float,
        body: bytes | None = None,
        connection: Connection | None = None,
    ) -> Reply:
        """Send a request and return its response, with any status.

        `within` is the longest silence in seconds; the whole exchange takes at most
        twice as long. `connection` closes the socket from another thread.

        Raises:
            ServerUnreachable: there is no complete response.
            Cancelled: the connection was cancelled before.
        """
        sockets = _Sockets()
        closed_by = connection.closed_by(sockets.shut_down) if connection else None
        with (
            requests.Session() as session,
            closed_by or nullcontext(),
            sockets.shut_down_after(2 * within),
        ):
            self._prepare(session, url, sockets)
            with _translated():
                response = session.request(
                    method,
                    url,
                    headers={**self._headers, **headers},
                    data=body,
                    # Here and not in the session: there a bundle of the environment
                    # would replace the one that the app has chosen.
                    verify=self._verify,
                    timeout=(CONNECT_LIMIT, within),
                    allow_redirects=False,
                    stream=True,
                )
                return Reply(
                    status=response.status_code,
                    headers=response.headers,
                    body=_body(response.raw),
                )

    def _prepare(self, session: requests.Session, url: str, sockets: _Sockets) -> None:
        session.trust_env = not is_loopback(urlsplit(url).hostname or "")
        session.auth = _no_authentication
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            session.mount(scheme, sockets)


class _Sockets(HTTPAdapter):
    """Remembers the sockets of a request, so that another thread can close them.

    `requests` hands a response out when its head has arrived; a long poll is mostly the
    time before that.
    """

    def __init__(self) -> None:
        super().__init__()
        self._open: list[Any] = []
        self._is_shut_down = False

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> Any:
        """Return a pool whose connections are remembered."""
        pool: Any = super().get_connection_with_tls_context(*arguments, **options)
        kind = pool.ConnectionCls

        def connect(connection: Any) -> None:
            kind.connect(connection)
            self._open.append(connection.sock)
            if self._is_shut_down:  # while it connected
                self.shut_down()

        pool.ConnectionCls = type("Remembered", (kind,), {"connect": connect})
        return pool

    def shut_down(self) -> None:
        """End the request: the thread that reads its response meets the end of it.

        The shutdown of a TLS socket would end TLS first: the next read would return the
        bytes of the network as they are, as the service's answer.
        """
        self._is_shut_down = True
        for opened in self._open:
            with suppress(OSError, TypeError):  # it has ended already, or is no socket
                socket.socket.shutdown(opened, socket.SHUT_RDWR)

    @contextmanager
    def shut_down_after(self, seconds: float) -> Iterator[None]:
        """End the request when the block takes longer."""
        timer = threading.Timer(seconds, self.shut_down)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _body(raw: Any) -> bytes:
    """Read a body up to its end, which raises when it comes too early."""
    body = bytearray()
    while len(body) <= LARGEST and (part := raw.read(8192, decode_content=False)):
        body += part
    return bytes(body[: LARGEST + 1])


def _no_authentication(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave a request as it is: without this, `requests` would read ~/.netrc."""
    return request


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except requests.ConnectTimeout as error:
        raise ServerUnreachable("the service does not answer in time") from error
    except (requests.ReadTimeout, ReadTimeoutError, TimeoutError) as error:
        raise ServerUnreachable("the service says nothing any more") from error
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        raise ServerUnreachable(_reason(error)) from error


def _reason(error: BaseException) -> str:
    """Return the system's words: `requests` wraps urllib3, which wraps an OSError."""
    reason = "the connection broke"
    current: BaseException | None = error
    while current is not None:
        if isinstance(current, OSError) and current.strerror:
            reason = current.strerror
        current = current.__cause__ or current.__context__
    return f"the service cannot be reached: {printable(reason, limit=200)}"
