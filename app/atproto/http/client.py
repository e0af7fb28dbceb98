"""The outgoing HTTP client: every URL that is not ours is requested with `SafeHTTP`.

Login input, DNS, DID documents and server metadata name hosts that a stranger chose, at
every hop (requirement 9.1). This module adds the rules of requirements 9.2 to 9.4 and
9.7 to the `requests` session of `session.py`: the URL policy, a time limit, size
limits, redirects only on request, nothing from the environment. A status is returned
and not raised; the exceptions are in `errors.py`. The address filter of
requests-hardened is applied while connecting.
"""

from __future__ import annotations

import ipaddress
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any
from urllib.parse import urldefrag, urljoin

import requests
from requests.adapters import BaseAdapter
from requests_hardened.ip_filter import InvalidIPAddress, filter_host

from ..errors import (
    HostUnknown,
    HostUnreachable,
    ResponseTooLarge,
    ServerInvalid,
    UnsafeURL,
)
from .circuit_breaker import Breaker
from .dialer import Dialer, Resolve, resolve_by_system, resolve_with_search_list
from .exceptions import TRANSPORT_ERRORS, ConnectionStale, translate
from .limits import wire_limit
from .pool import Pools
from .session import CONNECT_LIMIT, Adapter, open_session, trusting
from .types import ERROR_LIMIT, HTTP, Body, Deadline, Response, Upload
from .url_policy import NetworkPolicy, SafeURL, plain

__all__ = ["HTTP", "Deadline", "NetworkPolicy", "Response", "SafeHTTP", "SafeURL"]

log = logging.getLogger(__name__)

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
            context = trusting(ca_bundle)
            system = (
                resolve_with_search_list if policy.allow_private else resolve_by_system
            )
            dial = Dialer(resolve or system, self._check_address)
            adapter = Adapter(Pools(dial, context))
        self._headers = {"User-Agent": user_agent, "Accept-Encoding": "identity"}
        self._session = open_session(adapter)

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
