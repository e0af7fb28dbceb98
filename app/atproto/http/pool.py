"""HTTP connections and their pools (urllib3), between `SafeHTTP` and the sockets.

Pools are keyed by host name: a connection that is kept open serves again without asking
DNS, and never for another name. A failure to connect is a `ConnectFailed`, which
urllib3 and requests do not wrap: it tells that nothing was sent (requirement 6.8).
"""

from __future__ import annotations

import http.client
import logging
import queue
import re
import ssl
import time
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse
from urllib3.util.ssltransport import SSL_BLOCKSIZE, SSLTransport

from ..syntax.grammar import DEFAULT_PORTS
from .dialer import Dialer
from .exceptions import ConnectFailed, ConnectionStale
from .limits import LimitedReader, Pace, is_exchanging

POOLS = 128
CONNECTIONS_PER_HOST = 32

LONGEST_IDLE = 60.0
"""Seconds after which an idle connection is not used again: a router may have dropped
it silently, and a POST that is lost cannot be repeated (requirement 6.8)."""

_KEEP_ALIVE = re.compile(r"timeout=(\d{1,6})")


class _Answer(http.client.HTTPResponse):
    """A response that is read within limits, and interim ones (1xx) before it."""

    fp: Any  # http.client sets it to None at the end

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fp = LimitedReader(self.fp)

    def begin(self) -> None:
        """Read the head."""
        reader = self.fp
        super().begin()
        reader.end_head()

    def _read_status(self) -> tuple[str, int, str]:
        """Skip every interim response, as http.client does with 100 alone.

        Otherwise 103 would be the response, and the response that of the next request
        (RFC 9110 section 15.2).
        """
        version, status, reason = super()._read_status()  # type: ignore[misc] # private
        is_interim = 100 <= status < 200 and status != HTTPStatus.SWITCHING_PROTOCOLS
        return version, HTTPStatus.CONTINUE if is_interim else status, reason


class _Connection(HTTPConnection):
    """The common part of plain and TLS connections: opening, and being stale."""

    response_class = _Answer

    def __init__(self, *args: Any, dial: Dialer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._dial = dial
        self._answers = 0
        self._idle_since = 0.0
        self._idle_limit = LONGEST_IDLE

    def connect(self) -> None:
        """Connect as urllib3 asks, or raise ConnectFailed: nothing was sent."""
        self._answers = 0
        try:
            self._open(float(self.timeout or 0.0))
        except OSError as error:
            self.close()
            raise ConnectFailed from error

    def _open(self, timeout: float) -> None:
        self.sock = self._dial(self.host, self.port, timeout)

    @property
    def is_connected(self) -> bool:
        """Tell whether the connection may be used again; urllib3 asks before it is."""
        is_old = time.monotonic() - self._idle_since > self._idle_limit
        return not is_old and super().is_connected

    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as urllib3's
        """Read the head; tell a stale connection from a broken one."""
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


class _TLSTransport(SSLTransport):
    """TLS in memory, whose records are limited in number: they may hold one byte."""

    _pace = Pace()

    def settimeout(self, value: float | None) -> None:
        """Grant seconds to the socket, and reads to the records."""
        self._pace = Pace()
        super().settimeout(value)

    def read(self, len: int = 1024, buffer: Any = None) -> int | bytes:
        """Read one record, or a part of it.

        The bytes are fetched first: otherwise each read begins with an exception.
        """
        if not self.incoming.pending and not self.sslobj.pending():
            self.incoming.write(self.socket.recv(SSL_BLOCKSIZE))
        received = super().read(len, buffer)
        size = received if isinstance(received, int) else memoryview(received).nbytes
        self._pace.count(size)
        return received


class _TLSConnection(_Connection, HTTPSConnection):
    """TLS over the budget socket; the context verifies certificate and name.

    TLS runs in memory (`SSLTransport`), so that every wait is one of the socket's:
    `ssl.SSLSocket` has waits of its own, which under gevent have no common limit.
    """

    def _open(self, timeout: float) -> None:
        super()._open(timeout)
        if self.ssl_context is None or not self.ssl_context.check_hostname:
            raise ssl.SSLError(1, "certificates would not be verified")
        raw: Any = self.sock
        self.sock = _TLSTransport(raw, self.ssl_context, server_hostname=self.host)
        self.is_verified = True


class _Kept(queue.LifoQueue[Any]):
    """The idle connections of a pool, without the slots that urllib3 fills it with.

    A pool that does not block opens a connection when there is no slot. Filling and
    emptying the slots would be 65 locks and notifications for each new host.
    """

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self._slots_to_leave_out = maxsize

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put a connection back, or the empty slot of one that failed.

        The empty slot is taken next, so that a repeated request opens a connection.
        """
        if item is None and self._slots_to_leave_out:
            self._slots_to_leave_out -= 1
            return
        super().put(item, block, timeout)


class _Pool(HTTPConnectionPool):
    QueueCls = _Kept


class _TLSPool(HTTPSConnectionPool):
    QueueCls = _Kept


class Pools(PoolManager):
    """Connection pools by scheme, name and port, whose connections dial through us."""

    def __init__(self, dial: Dialer, context: ssl.SSLContext) -> None:
        super().__init__(
            num_pools=POOLS, maxsize=CONNECTIONS_PER_HOST, ssl_context=context
        )
        self._dial = dial
        self.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}

    def pool_of(self, url: str) -> HTTPConnectionPool:
        """Return the pool of a URL's host; all of them share one TLS context."""
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        key: Any = parts.scheme, parts.hostname, port
        asked = {"scheme": parts.scheme, "host": parts.hostname, "port": port}
        return self.connection_from_pool_key(key, {**self.connection_pool_kw, **asked})

    def _new_pool(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        pool = super()._new_pool(*args, **kwargs)
        kind = _TLSConnection if pool.scheme == "https" else _Connection
        pool.ConnectionCls = partial(kind, dial=self._dial)  # type: ignore[assignment]
        return pool


def _idle_limit(keep_alive: str) -> float:
    """Return for how many seconds to keep a connection: one less than the host does."""
    named = _KEEP_ALIVE.search(keep_alive)
    return min(LONGEST_IDLE, int(named[1]) - 1.0) if named else LONGEST_IDLE


def _names_no_query(record: logging.LogRecord) -> bool:
    return not is_exchanging() or "?" not in record.getMessage()


# urllib3 logs targets with their query: a line per request at DEBUG, and a warning for
# unusual headers. A query of ours may hold secrets (requirement 9.22); what urllib3
# does for the rest of the program is logged as ever.
for _name in ("urllib3.connectionpool", "urllib3.connection"):
    logging.getLogger(_name).addFilter(_names_no_query)
