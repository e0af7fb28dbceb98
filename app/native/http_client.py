"""The app's one door to the service: `requests`, and nothing that it would do unasked.

The service's door to other people's servers (`app/atproto/http/client.py`) judges every
address, because strangers choose them. Here one address is asked, the person's own
platform, which may well be a private one; so what matters is TLS that is always
verified, no redirect followed, no password of ~/.netrc sent along, answers that end.
Proxies of the environment are used, but not towards this machine itself.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from .errors import ServerUnknown, ServerUnreachable, printable
from .urls import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

CONNECT_LIMIT: Final = 10.0
LARGEST: Final = 65_536
"""Bytes of an answer that is no stream."""
CHUNK: Final = 8192


class ServerSilent(ServerUnreachable):
    """It was reached, and then said nothing for too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The head of an answer, and its body on demand."""

    status: int
    headers: Mapping[str, str]
    _raw: Any = field(repr=False)

    @property
    def content_type(self) -> str:
        """Return the media type in lower case, without parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def chunks(self) -> Iterator[bytes]:
        """Yield bytes as they arrive, until the answer ends.

        Raises:
            ServerUnreachable: it was cut off.
            ServerSilent: nothing arrived for too long.
        """
        while chunk := self._read():
            yield chunk

    def body(self, *, within: float) -> bytes:
        """Return the whole body, of an answer that is no stream.

        Raises:
            ServerUnknown: it is larger than any of the service's.
            ServerUnreachable: it did not end in time.
        """
        body, ends = bytearray(), time.monotonic() + within
        for chunk in self.chunks():
            body += chunk
            if len(body) > LARGEST:
                raise ServerUnknown("the answer is too large to be the service's")
            if time.monotonic() > ends:
                raise ServerSilent("the answer does not end")
        return bytes(body)

    def hang_up(self) -> None:
        """End the answer from another thread: who reads it now reads its end."""
        try:
            self._raw.shutdown()
        except (HTTPError, OSError, RuntimeError, ValueError):
            return  # it has ended by itself, which is what was wanted

    def _read(self) -> bytes:
        with _translated():
            chunk: bytes = self._raw.read1(CHUNK, decode_content=False)
            return chunk


class Door:
    """Sends requests to services; shared by threads, since it keeps nothing open."""

    def __init__(self, *, user_agent: str, ca_bundle: Path | None = None) -> None:
        """Name the app; `ca_bundle` stands in for the usual certificates."""
        self._headers = {"User-Agent": user_agent, "Accept-Encoding": "identity"}
        self._verify: bool | str = True if ca_bundle is None else str(ca_bundle)

    @contextmanager
    def opened(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        silence: float,
        body: bytes | None = None,
    ) -> Iterator[Reply]:
        """Send a request and hand out its answer, whatever the status.

        `silence` is for how many seconds the service may say nothing.

        Raises:
            ServerUnreachable: there is no answer.
        """
        with requests.Session() as session:
            self._prepare(session, url)
            with _translated():
                response = session.request(
                    method,
                    url,
                    headers={**self._headers, **headers},
                    data=body,
                    # Here and not in the session, or a bundle of the environment would
                    # be taken in place of the one that the app has chosen.
                    verify=self._verify,
                    timeout=(CONNECT_LIMIT, silence),
                    allow_redirects=False,
                    stream=True,
                )
            with response:
                raw = response.raw
                yield Reply(status=raw.status, headers=response.headers, _raw=raw)

    def _prepare(self, session: requests.Session, url: str) -> None:
        session.trust_env = not is_loopback(urlsplit(url).hostname or "")
        session.auth = _unchanged
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Authenticate nobody: without an answer here, `requests` would ask ~/.netrc."""
    return request


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except requests.ConnectTimeout as error:
        raise ServerUnreachable("the service does not answer in time") from error
    except (requests.ReadTimeout, ReadTimeoutError, TimeoutError) as error:
        raise ServerSilent("the service says nothing any more") from error
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        raise ServerUnreachable(_reason(error)) from error


def _reason(error: BaseException) -> str:
    """Say what is behind an error: `requests` wraps urllib3, which wraps a socket's."""
    reason = "the connection broke"
    current: BaseException | None = error
    while current is not None:
        if isinstance(current, OSError) and current.strerror:
            reason = current.strerror
        current = current.__cause__ or current.__context__
    return f"the service cannot be reached: {printable(reason, limit=200)}"
