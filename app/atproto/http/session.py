"""The adapter that sends a request on a connection of ours, and the TLS context.

It is what `requests` calls an adapter, so that tests may put another one in its place.
The session and the adapter of requests-hardened are not used: its adapter looks a name
up before every request and without a time limit, knows one address per host, and turns
off the host name check of a shared TLS context. What it is wanted for is kept: its
address filter is applied while connecting (`client.py`), an adapter follows no
redirect, and nothing is read from the environment.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from functools import cache
from http.client import HTTPException
from typing import Any, Final

import requests
from requests.adapters import BaseAdapter

from .answer import Answer
from .exceptions import ConnectionStale
from .pool import Connection, Key, Pools

CONNECT_LIMIT: Final = 5.0
"""Seconds for DNS, TCP and TLS together: shorter than the limit of a slow answer."""


class Adapter(BaseAdapter):
    """Sends requests on connections of our pools."""

    def __init__(self, pools: Pools) -> None:
        super().__init__()
        self._pools = pools

    def send(  # type: ignore[override] # the time limits are always two
        self,
        request: requests.PreparedRequest,
        *,
        timeout: tuple[float, float],
        **_: Any,
    ) -> requests.Response:
        """Send a request; return its answer with an unread body.

        `timeout` are the seconds for connecting and sending, and for all together.

        Raises:
            ConnectFailed: there is no connection; nothing was sent.
            ConnectionStale: the host closed a kept connection just then.
            requests.RequestException: the connection broke, or the time is over.
        """
        connect, total = timeout
        ends = time.monotonic() + total
        key, connection = self._pools.take(str(request.url))
        try:
            connection.grant(connect)
            answer = _asked(connection, request, ends)
        except BaseException as error:
            connection.close()
            if isinstance(error, ConnectionStale):
                self._pools.forget(key)
            raise
        body = _Body(answer, connection=connection, key=key, pools=self._pools)
        return _response(request, body)

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._pools.close()


class _Body:
    """The unread body of an answer; its connection is kept when all of it is read."""

    def __init__(
        self, answer: Answer, *, connection: Connection, key: Key, pools: Pools
    ) -> None:
        self.answer = answer
        self._connection = connection
        self._key = key
        self._pools = pools

    def stream(self, size: int, **_: Any) -> Iterator[bytes]:
        """Yield the body in pieces, as it comes: nothing is decompressed."""
        while chunk := self._read(size):
            yield chunk

    def close(self) -> None:
        """Do nothing: `requests` calls this, and then always `release_conn`."""

    def release_conn(self) -> None:
        """Keep the connection if the body was read to its end, or else close it."""
        answer = self.answer
        if answer.isclosed() and not answer.will_close:
            self._pools.keep(self._key, self._connection)
            return
        answer.close()
        self._connection.close()

    def _read(self, size: int) -> bytes:
        try:
            return self.answer.read(size)
        except (OSError, HTTPException) as error:
            self.answer.will_close = True
            raise _broken(error) from error


def _asked(
    connection: Connection, request: requests.PreparedRequest, ends: float
) -> Answer:
    """Send a request and read the head of its answer."""
    try:
        return connection.ask(
            str(request.method),
            request.path_url,
            headers=request.headers,
            body=request.body,
            ends=ends,
        )
    except (OSError, HTTPException) as error:
        raise _broken(error) from error


def _broken(error: Exception) -> requests.RequestException:
    """Return the error by which adapters say that a connection failed in use."""
    kind = requests.Timeout if isinstance(error, TimeoutError) else None
    return (kind or requests.ConnectionError)()


def _response(request: requests.PreparedRequest, body: Any) -> requests.Response:
    """Return the response; cookies and the encoding of a text are not looked for."""
    response = requests.Response()
    answer = body.answer
    response.status_code, response.reason = answer.status, answer.reason
    response.headers, response.raw = answer.headers, body
    response.url, response.request = str(request.url), request
    return response


def trusting(ca_bundle: str | None) -> ssl.SSLContext:
    """Return a TLS context that trusts a CA bundle, or the system's certificates.

    Made once for the process: parsing the bundle for each connection would be the
    largest part of a login's CPU.
    """
    if ca_bundle is None:
        return _trusting_system()
    return ssl.create_default_context(cafile=ca_bundle)


@cache
def _trusting_system() -> ssl.SSLContext:
    """Return the one of this process: reading the system's certificates is slow."""
    return ssl.create_default_context()
