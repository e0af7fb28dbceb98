"""The one outgoing door: every URL that is not ours is requested through `SafeHTTP`.

Login input, DNS, DID documents and server metadata all name hosts that somebody else
chose, at every hop (requirement 9.1). Around one `requests` session and one TLS context
for the process this module puts the rules of requirements 9.2 to 9.4 and 9.7: the URL
policy, a time budget, size caps, no redirects unless asked for, nothing taken from the
environment. A status is returned, never raised; what raises is in `errors.py`.

requests-hardened gives the session (redirects off, a default time limit) and its
address filter. Its adapter is not mounted: it asks DNS before every request and without
a time limit, knows one address per host, and turns off the host name check of a shared
TLS context. The filter is applied at the moment of connecting instead.
"""

from __future__ import annotations

import ipaddress
import logging
import ssl
import time
from dataclasses import dataclass, field, replace
from http.cookiejar import DefaultCookiePolicy
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urldefrag, urljoin

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests_hardened import Config, HTTPSession
from requests_hardened.ip_filter import InvalidIPAddress, filter_host
from urllib3.util import Retry, Timeout

from ..errors import (
    HostUnknown,
    HostUnreachable,
    ResponseTooLarge,
    ServerInvalid,
    UnsafeURL,
)
from .circuit_breaker import Breaker
from .dialer import Dialer, resolve_by_system, resolve_with_search_list
from .exceptions import TRANSPORT_ERRORS, ConnectionStale, translate
from .limits import wire_limit
from .pool import Pools
from .types import ERROR_LIMIT, HTTP, Deadline, Response, Upload
from .url_policy import NetworkPolicy, SafeURL, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .dialer import Resolve
    from .types import Body

__all__ = ["HTTP", "Deadline", "NetworkPolicy", "Response", "SafeHTTP", "SafeURL"]

log = logging.getLogger(__name__)

CONNECT_LIMIT = 5.0
"""Seconds for DNS, TCP and TLS together: a host that is down is known to be sooner than
one that is slow."""

FAIR_CHANCE = 2.0
"""Seconds a host must have had before its silence counts against it. The rest of a
budget that another host has used up is no chance: otherwise a slow stranger could make
us leave the PLC directory alone."""

MOST_REDIRECTS = 3
CHUNK = 16_384

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One request to one host, and what it may cost."""

    method: str
    url: SafeURL
    headers: Mapping[str, str] = field(repr=False)
    body: Body = field(repr=False)
    sink: IO[bytes] | None = field(repr=False)
    budget: Deadline
    limit: int


class SafeHTTP:
    """The hardened client: one for the process, shared by all its threads."""

    def __init__(
        self,
        *,
        policy: NetworkPolicy,
        user_agent: str,
        ca_bundle: str | None = None,
        resolve: Resolve | None = None,
        adapter: BaseAdapter | None = None,
        breaker: Breaker | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare the door; nothing is contacted.

        `user_agent` names us and a URL to write to (requirement 9.7). `ca_bundle`
        stands in for the platform's certificates, `resolve` for the system's lookup,
        and `adapter` for the network itself, with the address checks.
        """
        self._policy = policy
        self._breaker = breaker or Breaker(monotonic=monotonic)
        if adapter is None:
            context = ssl.create_default_context(cafile=ca_bundle)
            system = (
                resolve_with_search_list if policy.allow_private else resolve_by_system
            )
            dial = Dialer(resolve or system, self._check_address)
            adapter = _Adapter(Pools(dial, context))
        self._headers = {"User-Agent": user_agent, "Accept-Encoding": "identity"}
        self._session = _open_session(adapter)

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
        """Send one request and return the answer, see `HTTP.request`."""
        if redirects and (method != "GET" or redirects > MOST_REDIRECTS):
            raise ValueError("only a GET follows redirects, and three at most")
        call = _Call(
            method=method,
            url=self._policy.check_url(url),
            headers=headers or {},
            body=body,
            sink=sink,
            budget=deadline.within(timeout),
            limit=limit,
        )
        response = self._call(call)
        for _ in range(redirects):
            if (location := _location(response)) is None:
                break
            call = self._follow(call, location)
            response = self._call(call)
        return response

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._session.close()

    def _follow(self, call: _Call, location: str) -> _Call:
        """Return the call after a redirect; headers meant for one host stay there."""
        try:
            target = urldefrag(urljoin(call.url.url, location)).url
        except ValueError:
            target = ""  # refused by the policy like anything unreadable
        url = self._policy.check_url(target)
        headers = call.headers if url.origin == call.url.origin else {}
        return replace(call, url=url, headers=headers)

    def _call(self, call: _Call) -> Response:
        """Send one request to one host, with the breaker watching."""
        chance = call.budget.remaining()
        if chance <= 0:
            raise HostUnreachable(call.url.host, "no time was left to ask")
        self._breaker.admit(call.url.authority)
        try:
            response = self._send(call)
        except HostUnknown:
            raise  # DNS answered, and nobody failed
        except HostUnreachable:
            if chance >= FAIR_CHANCE:
                self._breaker.failed(call.url.authority)
            raise
        if response.status < 500:  # of a 5xx our callers may think what they like
            self._breaker.succeeded(call.url.authority)
        took = chance - call.budget.remaining()
        status, authority = response.status, call.url.authority
        log.debug("%s %s: %d in %.3f s", call.method, authority, status, took)
        return response

    def _send(self, call: _Call, *, again: bool = True) -> Response:
        """Send once; a GET once more, if its kept connection proved to be closed.

        Anything else might have been acted upon and is never repeated (6.8).
        """
        request = self._prepare(call)  # what is wrong with it is not the host's failure
        try:
            return self._exchange(call, request)
        except TRANSPORT_ERRORS as error:
            if again and isinstance(error, ConnectionStale) and call.method == "GET":
                return self._send(call, again=False)
            raise translate(error, host=call.url.host, limit=call.limit) from error

    def _exchange(self, call: _Call, request: requests.PreparedRequest) -> Response:
        left = max(call.budget.remaining(), 0.001)
        # The time to connect is the time to send as well, which an upload needs.
        connect = left if isinstance(call.body, Upload) else min(CONNECT_LIMIT, left)
        with (
            wire_limit(call.limit),
            self._session.send(request, stream=True, timeout=(connect, left)) as answer,
        ):
            return _read(answer, call)

    def _prepare(self, call: _Call) -> requests.PreparedRequest:
        """Return the request, made by hand.

        requests' own preparation would spell the URL anew after it was checked, look
        for cookies and passwords, and take a third of the time of the whole exchange.
        """
        prepared = requests.PreparedRequest()
        prepared.method = call.method
        prepared.url = call.url.url
        headers = {"Accept": "*/*", **call.headers, **self._headers}
        prepared.prepare_headers(headers)
        if isinstance(call.body, Upload):
            call.body.file.seek(0)
            file: Any = call.body.file  # its stubs know bytes alone
            prepared.body = file
            prepared.headers["Content-Length"] = str(call.body.size)
        elif call.body is not None:
            prepared.body = call.body
            prepared.headers["Content-Length"] = str(len(call.body))
        return prepared

    def _check_address(self, address: str, host: str) -> None:
        """Check an address by our rules and by those of requests-hardened."""
        self._policy.check_address(address, host=host)
        if self._policy.allow_private:
            return
        try:
            inner = plain(ipaddress.ip_address(address))
            filter_host(str(inner), 0, allow_loopback=False)
        except InvalidIPAddress as error:
            raise UnsafeURL(host, f"its address {address} is not public") from error


class _Session(HTTPSession):  # type: ignore[misc] # requests-hardened has no types
    """requests-hardened's session, which looks at no redirect at all.

    With redirects off, requests still prepares the next request for `Response.next`,
    and reads the redirect's whole body for it: decompressed, and without a cap.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return nothing, see above."""


class _Adapter(HTTPAdapter):
    """Hands requests to our pools; certificates are the shared context's business."""

    def __init__(self, pools: Pools) -> None:
        super().__init__(max_retries=Retry(total=False))
        self.poolmanager = pools

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """Look for no CA bundle: the context has loaded one, once for the process.

        To parse it again for each connection was most of what a login cost elsewhere.
        """

    def send(self, request: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """Send with one time limit for the whole, not one more for each phase."""
        connect, total = kwargs["timeout"]
        kwargs["timeout"] = Timeout(connect=connect, read=total, total=total)
        return super().send(request, *args, **kwargs)


def _open_session(adapter: BaseAdapter) -> _Session:
    session = _Session(
        Config(
            ip_filter_enable=False,  # applied when connecting, see the module's text
            ip_filter_allow_loopback_ips=False,
            never_redirect=True,
            default_timeout=(CONNECT_LIMIT, CONNECT_LIMIT),
        )
    )
    session.trust_env = False  # no proxies, no .netrc, no REQUESTS_CA_BUNDLE (9.3)
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _read(answer: requests.Response, call: _Call) -> Response:
    """Read an answer within its limits; what comes with a redirect is not read."""
    host, headers = call.url.host, answer.headers
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ServerInvalid(host, "its answer is compressed, though we asked for none")
    body = b"" if answer.status_code in _REDIRECTS else _read_body(answer, call)
    return Response(answer.status_code, headers, body, call.url.url)


def _read_body(answer: requests.Response, call: _Call) -> bytes:
    """Read the body into the sink, if it is one for it, or into memory."""
    if call.sink is not None and 200 <= answer.status_code < 300:
        for chunk in _chunks(answer, call, limit=call.limit):
            call.sink.write(chunk)
        return b""
    limit = call.limit if call.sink is None else min(call.limit, ERROR_LIMIT)
    return b"".join(_chunks(answer, call, limit=limit))


def _chunks(answer: requests.Response, call: _Call, *, limit: int) -> Iterator[bytes]:
    received = 0
    for chunk in answer.iter_content(CHUNK):
        received += len(chunk)
        if received > limit:
            raise ResponseTooLarge(call.url.host, limit)
        if call.budget.remaining() <= 0:
            raise HostUnreachable(call.url.host, "no answer in time", sent=True)
        yield chunk


def _location(response: Response) -> str | None:
    is_redirect = response.status in _REDIRECTS
    return response.headers.get("Location") if is_redirect else None
