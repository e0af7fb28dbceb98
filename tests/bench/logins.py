"""What logins that wait for a slow host cost others: /auth/verify beside 24 of them.

The host takes the requests of the logins and answers none until /auth/verify was
measured. Each ratio is of figures with the logins and without them, taken in turns in
one run: by the worker's CPU time, which other programs of the machine do not change
much, and by the clock.
"""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlencode

from tests.serving.server import Server

from .connections import CONNECTIONS, connect, read_answer

LOGINS = 24
REPETITIONS = 7

QUESTIONS = 2
"""Requests that a login sends to a host at once: it asks for both documents."""

TIMELY = 30.0
REFUSAL = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def open_host() -> socket.socket:
    """Return a socket on which the slow host listens."""
    host = socket.create_server(("127.0.0.1", 0), backlog=4 * LOGINS)
    host.settimeout(TIMELY)
    return host


def settings_for(host: socket.socket) -> dict[str, str]:
    """Return the settings of a service that signs in at the host."""
    limits = ("LOGIN_PER_ADDRESS", "LOGIN_PER_HOST")
    return {
        "LATCHKEY_LAB_NETWORK": "on",
        "LATCHKEY_SIGNUP_HOSTS": _url(host),
        **{f"LATCHKEY_RATE_LIMIT_{name}": "100000/minute" for name in limits},
    }


def measure_logins(
    server: Server,
    host: socket.socket,
    request: bytes,
    *,
    rounds: int,
    repetitions: int = REPETITIONS,
    logins: int = LOGINS,
) -> None:
    """Print what waiting logins cost a request, in ratios."""
    quiet, busy = Times(), Times()
    for _ in range(repetitions):
        quiet.measure(server, request, rounds)
        with _waiting(server, host, logins):
            busy.measure(server, request, rounds)
    print(
        f"/auth/verify while {logins} logins wait for a host, by itself without them:"
    )
    print(f"  requests for a second of CPU {quiet.cpu / busy.cpu:>11.2f}")
    print(f"  requests in a second {quiet.middle() / busy.middle():>19.2f}")
    print(f"  99th percentile of their times {busy.slow() / quiet.slow():>9.2f}")


class Times:
    """Seconds of single requests, and CPU seconds of the worker for all of them."""

    def __init__(self) -> None:
        self.cpu = 0.0
        self._single: list[float] = []
        self._together: list[float] = []

    def measure(self, server: Server, request: bytes, rounds: int) -> None:
        """Send requests on connections that stay open, one under way on each."""
        with ExitStack() as kept:
            connections = [
                kept.enter_context(connect(server)) for _ in range(CONNECTIONS)
            ]
            cpu, began = server.cpu_seconds(), time.perf_counter()
            for _ in range(rounds):
                self._round(connections, request)
            self._together.append(time.perf_counter() - began)
            self.cpu += server.cpu_seconds() - cpu

    def _round(self, connections: list[socket.socket], request: bytes) -> None:
        sent = []
        for connection in connections:
            connection.sendall(request)
            sent.append(time.perf_counter())
        for connection, began in zip(connections, sent, strict=True):
            read_answer(connection)
            self._single.append(time.perf_counter() - began)

    def middle(self) -> float:
        """Return the median of the repetitions."""
        return statistics.median(self._together)

    def slow(self) -> float:
        """Return the 99th percentile of single requests."""
        return statistics.quantiles(self._single, n=100)[98]


def _url(host: socket.socket) -> str:
    return f"http://localhost:{host.getsockname()[1]}"


@contextmanager
def _waiting(server: Server, host: socket.socket, logins: int) -> Iterator[None]:
    """Begin logins; they wait for the host until the block ends, and are refused."""
    form = urlencode({"identifier": _url(host)})
    login = (
        "POST /auth/login HTTP/1.1\r\nHost: latchkey\r\nSec-Fetch-Site: same-origin\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n"
        f"Content-Length: {len(form)}\r\n\r\n{form}"
    ).encode()
    with ExitStack() as kept:
        browsers = [kept.enter_context(connect(server)) for _ in range(logins)]
        for browser in browsers:
            browser.sendall(login)
        callers = [_accept(host) for _ in range(logins * QUESTIONS)]
        yield
        for caller in callers:
            with caller:
                caller.sendall(REFUSAL)
        for browser in browsers:
            browser.settimeout(TIMELY)
            while browser.recv(65536):
                pass


def _accept(host: socket.socket) -> socket.socket:
    """Take a request, and leave it without an answer."""
    caller, _ = host.accept()
    caller.settimeout(TIMELY)
    caller.recv(65536)
    return caller
