"""HTTP connections (http.client) and their pools, between `SafeHTTP` and the sockets.

Connections are kept by host name: a kept one serves again without asking DNS, and never
for another name. A failure to connect is a `ConnectFailed`: it tells that nothing was
sent (requirement 6.8). Of urllib3 only its TLS in memory is used: its connections,
pools and responses would take as long as all the rest of a request.
"""

from __future__ import annotations

import http.client
import re
import ssl
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from threading import Lock
from typing import Any, Final
from urllib.parse import urlsplit

from urllib3.util import wait_for_read
from urllib3.util.ssltransport import SSL_BLOCKSIZE, SSLTransport

from ..syntax.grammar import DEFAULT_PORTS
from .answer import Answer
from .dialer import Dialer
from .exceptions import ConnectFailed, ConnectionStale
from .limits import Pace

POOLS: Final = 128
"""Hosts to which connections are kept: those that were used last."""

CONNECTIONS_PER_HOST: Final = 32

LONGEST_IDLE: Final = 60.0
"""Seconds after which an idle connection is not used again: a router may have dropped
it silently, and a POST that is lost cannot be repeated (requirement 6.8)."""

BLOCK: Final = 16_384
"""Bytes that are sent at a time."""

_KEEP_ALIVE = re.compile(r"timeout=(\d{1,6})")

Key = tuple[str, str, int]
"""Scheme, host name and port."""


class Connection(http.client.HTTPConnection):
    """A connection to one host; `_TLSConnection` is the one that is encrypted."""

    response_class = Answer
    sock: Any

    def __init__(self, host: str, port: int, *, dial: Dialer) -> None:
        super().__init__(host, port, blocksize=BLOCK)
        self._dial = dial
        self._unsent = bytearray()
        self._answers = 0
        self._idle_since = 0.0
        self._idle_limit = LONGEST_IDLE

    @property
    def is_usable(self) -> bool:
        """Tell whether it may serve again; it has not when there is something to read.

        Then the host has closed it, or sent what was not asked for.
        """
        is_old = time.monotonic() - self._idle_since > self._idle_limit
        is_open = not is_old and self.sock is not None
        return is_open and not wait_for_read(self.sock, timeout=0.0)

    def grant(self, seconds: float) -> None:
        """Allow seconds for sending, and for connecting where it is not connected.

        Raises:
            ConnectFailed: there is no connection; nothing was sent.
        """
        if self.sock is not None:
            self.sock.settimeout(seconds)
            return
        try:
            self._open(seconds)
        except OSError as error:
            self.close()
            raise ConnectFailed from error

    def ask(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str],
        body: Any,
        ends: float,
    ) -> Answer:
        """Send a request and read the head of its answer, until `ends` (monotonic).

        Raises:
            ConnectionStale: the host closed a connection that had served before.
        """
        try:
            with suppress(BrokenPipeError):  # it may have answered before it closed
                self.request(method, target, body, headers)
                self._flush()
            self.sock.settimeout(max(ends - time.monotonic(), 0.001))
            answer: Any = self.getresponse()
        except ConnectionError as error:
            if self._answers:
                raise ConnectionStale from error
            raise
        self._answers += 1
        self._idle_since = time.monotonic()
        self._idle_limit = _idle_limit(answer.headers.get("Keep-Alive", ""))
        return answer  # type: ignore[no-any-return]

    def send(self, data: Any) -> None:
        """Send a part of a request: head and short body leave together."""
        self._unsent += data
        if len(self._unsent) >= BLOCK:
            self._flush()

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, bytearray()
        self.sock.sendall(unsent)

    def _open(self, timeout: float) -> None:
        self.sock = self._dial(self.host, self.port, timeout)


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


class _TLSConnection(Connection):
    """TLS over the budget socket; the context verifies certificate and name.

    TLS runs in memory (`SSLTransport`), so that every wait is one of the socket's:
    `ssl.SSLSocket` has waits of its own, which under gevent have no common limit.
    """

    default_port = DEFAULT_PORTS["https"]

    def __init__(
        self, host: str, port: int, *, dial: Dialer, context: ssl.SSLContext
    ) -> None:
        super().__init__(host, port, dial=dial)
        self._context = context

    def _open(self, timeout: float) -> None:
        if not self._context.check_hostname:
            raise ssl.SSLError(1, "certificates would not be verified")
        super()._open(timeout)
        self.sock = _TLSTransport(self.sock, self._context, server_hostname=self.host)


class Pools:
    """Idle connections by scheme, name and port; new ones dial through us."""

    def __init__(self, dial: Dialer, context: ssl.SSLContext) -> None:
        self._dial = dial
        self._context = context
        self._idle: OrderedDict[Key, list[Connection]] = OrderedDict()
        self._lock = Lock()

    def take(self, url: str) -> tuple[Key, Connection]:
        """Return a connection for a URL: a kept one, or one that is not open yet.

        All of them share one TLS context.
        """
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]
        key = parts.scheme, host, port
        while (kept := self._pop(key)) is not None:
            if kept.is_usable:
                return key, kept
            kept.close()
        if parts.scheme == "https":
            tls = _TLSConnection(host, port, dial=self._dial, context=self._context)
            return key, tls
        return key, Connection(host, port, dial=self._dial)

    def keep(self, key: Key, connection: Connection) -> None:
        """Keep a connection of which the last answer was read to its end."""
        with self._lock:
            kept = self._idle.setdefault(key, [])
            self._idle.move_to_end(key)
            surplus = [connection]
            if len(kept) < CONNECTIONS_PER_HOST:
                kept.append(surplus.pop())
            if len(self._idle) > POOLS:
                surplus += self._idle.popitem(last=False)[1]
        for one in surplus:
            one.close()

    def forget(self, key: Key) -> None:
        """Close the idle connections to a host that has closed one of them."""
        with self._lock:
            kept = self._idle.pop(key, [])
        for one in kept:
            one.close()

    def close(self) -> None:
        """Close all idle connections."""
        for key in list(self._idle):
            self.forget(key)

    def _pop(self, key: Key) -> Connection | None:
        """Take the connection that was used last."""
        with self._lock:
            kept = self._idle.get(key)
            return kept.pop() if kept else None


def _idle_limit(keep_alive: str) -> float:
    """Return for how many seconds to keep a connection: one less than the host does."""
    named = _KEEP_ALIVE.search(keep_alive)
    return min(LONGEST_IDLE, int(named[1]) - 1.0) if named else LONGEST_IDLE
