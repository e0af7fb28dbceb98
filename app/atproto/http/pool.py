"""HTTP connections and their pools, below the door and above the sockets.

Pools are keyed by name: a connection that is kept open serves again without asking DNS,
and never for another name. Whatever goes wrong while connecting is a `HostUnreachable`
with nothing sent. It is none of the exceptions that urllib3 and requests wrap, so it
arrives as it was raised; everything that they do raise came later, when bytes may have
left. That is how one tells what may be sent again (requirement 6.8).
"""

from __future__ import annotations

import http.client
import logging
import re
import ssl
import time
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from urllib3 import HTTPConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssltransport import SSLTransport

from ..errors import HostUnreachable
from .sockets import explain

if TYPE_CHECKING:
    from urllib3.response import HTTPResponse

    from .sockets import Dialer

POOLS = 128
CONNECTIONS_PER_HOST = 32

LONGEST_IDLE = 60.0
"""Seconds after which a kept connection is not trusted: something on the way may have
dropped it silently, and a POST that vanishes cannot be repeated (requirement 6.8)."""

_KEEP_ALIVE = re.compile(r"timeout=(\d{1,6})")


class ConnectionStale(Exception):
    """A kept connection was closed by the host just as it was used again."""


class _Answer(http.client.HTTPResponse):
    """An answer that may be announced by others (1xx, RFC 9110 §15.2)."""

    def _read_status(self) -> tuple[str, int, str]:
        """Have every announcement passed over, as http.client does with 100 alone.

        Else 103 would be the answer, and the answer itself that to the next request.
        """
        version, status, reason = super()._read_status()  # type: ignore[misc] # private
        is_ahead = 100 <= status < 200 and status != HTTPStatus.SWITCHING_PROTOCOLS
        return version, HTTPStatus.CONTINUE if is_ahead else status, reason


class _Connection(HTTPConnection):
    """What plain and TLS connections share: how they open, and when they are stale."""

    response_class = _Answer

    def __init__(self, *args: Any, dial: Dialer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._dial = dial
        self._answers = 0
        self._idle_since = 0.0
        self._idle_limit = LONGEST_IDLE

    def connect(self) -> None:
        """Connect as urllib3 asks, or raise HostUnreachable: nothing was sent."""
        self._answers = 0
        try:
            self._open(float(self.timeout or 0.0))
        except OSError as error:
            self.close()
            raise HostUnreachable(self.host, explain(error)) from error

    def _open(self, timeout: float) -> None:
        self.sock = self._dial(self.host, self.port, timeout)

    @property
    def is_connected(self) -> bool:
        """Tell whether the connection may serve again; urllib3 asks before it does."""
        is_old = time.monotonic() - self._idle_since > self._idle_limit
        return not is_old and super().is_connected

    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as urllib3's
        """Read the answer's head; tell a stale connection from one that broke."""
        try:
            response = super().getresponse()
        except ConnectionError as error:
            if self._answers:
                raise ConnectionStale from error
            raise
        self._answers += 1
        self._idle_since = time.monotonic()
        self._idle_limit = _idle_limit(response.headers.get("Keep-Alive", ""))
        return response


class _TLSConnection(_Connection, HTTPSConnection):
    """TLS over the budget socket; the context verifies certificate and name.

    TLS runs in memory (`SSLTransport`), so that every wait is one of the socket's:
    `ssl.SSLSocket` has waits of its own, which under gevent know no total.
    """

    def _open(self, timeout: float) -> None:
        super()._open(timeout)
        if self.ssl_context is None or not self.ssl_context.check_hostname:
            raise ssl.SSLError(1, "certificates would not be verified")
        raw: Any = self.sock
        self.sock = SSLTransport(raw, self.ssl_context, server_hostname=self.host)
        self.is_verified = True


class Pools(PoolManager):
    """Connection pools by scheme, name and port, whose connections dial through us."""

    def __init__(self, dial: Dialer, context: ssl.SSLContext) -> None:
        super().__init__(
            num_pools=POOLS, maxsize=CONNECTIONS_PER_HOST, ssl_context=context
        )
        self._dial = dial

    def _new_pool(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        pool = super()._new_pool(*args, **kwargs)
        kind = _TLSConnection if pool.scheme == "https" else _Connection
        pool.ConnectionCls = partial(kind, dial=self._dial)  # type: ignore[assignment]
        return pool


def _idle_limit(keep_alive: str) -> float:
    """Return for how long a connection is worth keeping, a second before the host's."""
    named = _KEEP_ALIVE.search(keep_alive)
    return min(LONGEST_IDLE, int(named[1]) - 1.0) if named else LONGEST_IDLE


def _names_no_query(record: logging.LogRecord) -> bool:
    return "?" not in record.getMessage()


# urllib3 logs targets with their query: one line per request at DEBUG, and a warning
# when headers are odd. A query may hold what no log may (requirement 9.22).
for _name in ("urllib3.connectionpool", "urllib3.connection"):
    logging.getLogger(_name).addFilter(_names_no_query)
