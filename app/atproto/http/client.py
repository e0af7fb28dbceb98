"""The outgoing HTTP client: every URL that is not ours is requested with `SafeHTTP`.

Login input, DNS, DID documents and server metadata name hosts that a stranger chose, at
every hop (requirement 9.1). This module adds the rules of requirements 9.2 to 9.4 and
9.7 to one `requests` session and one TLS context of the process: the URL policy, a time
limit, size limits, redirects only on request, nothing from the environment. A status is
returned and not raised; the exceptions are in `errors.py`.

requests-hardened provides the session (no redirects, a default time limit) and its
address filter. Its adapter is not used: it looks a name up before every request and
without a time limit, knows one address per host, and turns off the host name check of a
shared TLS context. The filter is applied while connecting instead.
"""

from __future__ import annotations

import ipaddress
import logging
import ssl
import time
from dataclasses import dataclass, field, replace
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urldefrag, urljoin

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.cookies import RequestsCookieJar
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

    from urllib3 import HTTPConnectionPool

    from .dialer import Resolve
    from .types import Body

__all__ = ["HTTP", "Deadline", "NetworkPolicy", "Response", "SafeHTTP", "SafeURL"]

log = logging.getLogger(__name__)

CONNECT_LIMIT = 5.0
"""Seconds for DNS, TCP and TLS together: shorter than the limit of a slow answer."""

FAIR_CHANCE = 2.0
"""Seconds that a host must have had before its silence counts as a failure. Otherwise a
slow host that uses up the time limit of a login could open the circuit of the next one,
such as the PLC directory."""

MOST_REDIRECTS = 3
CHUNK = 16_384

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One request to one host, with its limits."""

    method: str
    url: SafeURL
    headers: Mapping[str, str] = field(repr=False)
    body: Body = field(repr=False)
    sink: IO[bytes] | None = field(repr=False)
    budget: Deadline
    limit: int


class SafeHTTP:
    """The HTTP client of the process, shared by all its threads."""

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
        """Prepare the client; nothing is contacted.

        `user_agent` names us and a contact URL (requirement 9.7). `ca_bundle` replaces
        the system's certificates, `resolve` the system's name lookup, and `adapter` the
        network and the address checks.
        """
        self._policy = policy
        self._breaker = breaker or Breaker(monotonic=monotonic)
        if adapter is None:
            context = _trusting(ca_bundle)
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
        """Send one request and return the response, see `HTTP.request`."""
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
        """Return the call after a redirect, with headers only to the same origin."""
        try:
            target = urldefrag(urljoin(call.url.url, location)).url
        except ValueError:
            target = ""  # refused by the policy
        url = self._policy.check_url(target)
        headers = call.headers if url.origin == call.url.origin else {}
        return replace(call, url=url, headers=headers)

    def _call(self, call: _Call) -> Response:
        """Send one request to one host, and tell the circuit breaker the outcome."""
        chance = call.budget.remaining()
        if chance <= 0:
            raise HostUnreachable(call.url.host, "no time was left to ask")
        self._breaker.admit(call.url.authority)
        try:
            response = self._send(call)
        except HostUnknown:
            raise  # DNS answered: no failure of a host
        except HostUnreachable:
            if chance >= FAIR_CHANCE:
                self._breaker.failed(call.url.authority)
            raise
        if response.status < 500:  # a 5xx is neither a success nor a failure here
            self._breaker.succeeded(call.url.authority)
        took = chance - call.budget.remaining()
        status, authority = response.status, call.url.authority
        log.debug("%s %s: %d in %.3f s", call.method, authority, status, took)
        return response

    def _send(self, call: _Call, *, again: bool = True) -> Response:
        """Send once; a GET once more, if its kept connection was closed.

        Other requests may have had an effect and are not repeated (requirement 6.8).
        """
        request = self._prepare(call)  # its ValueError is no failure of the host
        try:
            return self._exchange(call, request)
        except TRANSPORT_ERRORS as error:
            if again and isinstance(error, ConnectionStale) and call.method == "GET":
                return self._send(call, again=False)
            raise translate(error, host=call.url.host, limit=call.limit) from error

    def _exchange(self, call: _Call, request: requests.PreparedRequest) -> Response:
        left = max(call.budget.remaining(), 0.001)
        # urllib3 limits sending by the time to connect, which is short for an upload.
        connect = left if isinstance(call.body, Upload) else min(CONNECT_LIMIT, left)
        with (
            wire_limit(call.limit),
            self._session.send(request, stream=True, timeout=(connect, left)) as answer,
        ):
            return _read(answer, call)

    def _prepare(self, call: _Call) -> requests.PreparedRequest:
        """Return the request, without the preparation of `requests`.

        That would rewrite the URL after it was checked, look for cookies and passwords,
        and take a third of the time of the whole exchange.
        """
        prepared = requests.PreparedRequest()
        prepared.method = call.method
        prepared.url = call.url.url
        headers = {"Accept": "*/*", **call.headers, **self._headers}
        prepared.prepare_headers(headers)
        if isinstance(call.body, Upload):
            call.body.file.seek(0)
            file: Any = call.body.file  # the stubs allow bytes only
            prepared.body = file
            prepared.headers["Content-Length"] = str(call.body.size)
        elif call.body is not None:
            prepared.body = call.body
            prepared.headers["Content-Length"] = str(len(call.body))
        return prepared

    def _check_address(self, address: str, host: str) -> None:
        """Check an address by our policy and by the filter of requests-hardened."""
        self._policy.check_address(address, host=host)
        if self._policy.allow_private:
            return
        try:
            inner = plain(ipaddress.ip_address(address))
            filter_host(str(inner), 0, allow_loopback=False)
        except InvalidIPAddress as error:
            raise UnsafeURL(host, f"its address {address} is not public") from error


class _Session(HTTPSession):  # type: ignore[misc] # requests-hardened has no types
    """requests-hardened's session, which ignores redirects.

    With redirects off, requests still prepares the next request for `Response.next` and
    reads the whole body of the redirect for it: decompressed and without a limit.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return nothing, see above."""


class _NoCookies(RequestsCookieJar):
    """The cookie jar of the session, which stays empty."""

    def extract_cookies(self, *_: Any) -> None:
        """Keep nothing, and do not parse it."""


class _Adapter(HTTPAdapter):
    """Passes requests to our pools; the shared context verifies certificates."""

    def __init__(self, pools: Pools) -> None:
        super().__init__(max_retries=Retry(total=False))
        self.poolmanager = self._pools = pools

    def get_connection_with_tls_context(
        self, request: Any, *_: Any, **__: Any
    ) -> HTTPConnectionPool:
        """Return the pool of the host; there are no proxies and no other contexts."""
        return self._pools.pool_of(request.url)

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        """Return the response; cookies and the encoding of a text are not looked for.

        The headers are urllib3's, which are case-insensitive already.
        """
        response = requests.Response()
        response.status_code, response.reason = resp.status, resp.reason
        response.headers, response.raw = resp.headers, resp
        response.url, response.request = req.url, req
        return response

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """Do nothing: the context has loaded the CA bundle, once for the process.

        Parsing it for each connection would be the largest part of a login's CPU.
        """

    def send(self, request: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """Send with one time limit for all phases together."""
        connect, total = kwargs["timeout"]
        kwargs["timeout"] = Timeout(connect=connect, read=total, total=total)
        return super().send(request, *args, **kwargs)


def _trusting(ca_bundle: str | None) -> ssl.SSLContext:
    """Return a TLS context that trusts a CA bundle, or the system's certificates."""
    if ca_bundle is None:
        return _trusting_system()
    return ssl.create_default_context(cafile=ca_bundle)


@cache
def _trusting_system() -> ssl.SSLContext:
    """Return the one of this process: reading the system's certificates is slow."""
    return ssl.create_default_context()


def _open_session(adapter: BaseAdapter) -> _Session:
    session = _Session(
        Config(
            ip_filter_enable=False,  # applied while connecting, see the module
            ip_filter_allow_loopback_ips=False,
            never_redirect=True,
            default_timeout=(CONNECT_LIMIT, CONNECT_LIMIT),
        )
    )
    session.trust_env = False  # no proxies, .netrc, REQUESTS_CA_BUNDLE
    session.cookies = _NoCookies(DefaultCookiePolicy(allowed_domains=[]))
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _read(answer: requests.Response, call: _Call) -> Response:
    """Read a response within its limits; the body of a redirect is not read."""
    host, headers = call.url.host, answer.headers
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ServerInvalid(host, "its answer is compressed, though we asked for none")
    body = b"" if answer.status_code in _REDIRECTS else _read_body(answer, call)
    return Response(answer.status_code, headers, body, call.url.url)


def _read_body(answer: requests.Response, call: _Call) -> bytes:
    """Read the body of a success into the sink, and every other into memory."""
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
