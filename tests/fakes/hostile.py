"""Real servers on loopback that behave as no server should.

`network.py` stands in for the network and cannot show what happens on a socket: drips,
endless headers, connections dropped at the wrong moment. A `HostileServer` can. What it
says is one function, a *behaviour*, called for each request with the bare connection;
all of them end by themselves, so that a client without defences is slow, not stuck.
"""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import repeat
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Behaviour = Callable[[socket.socket], bool | None]

PATIENCE = 10.0
"""Seconds after which a server gives up a connection: nothing may hang a test."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came in."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class HostileServer:
    """Listens on a loopback address and counts what arrives.

    `behaviours` answer one request each, the last one all that follow. A behaviour that
    returns False closes the connection.
    """

    def __init__(
        self,
        *behaviours: Behaviour,
        address: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.connections = 0
        self.requests: list[Request] = []
        self.server_names: list[str | None] = []
        self._behaviours = list(behaviours)
        self._tls = tls
        if tls is not None:
            tls.sni_callback = lambda _sock, name, _: self.server_names.append(name)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, 0), family=family)
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._conversations: list[Thread] = []
        self._lock = Lock()
        self._thread = Thread(target=self._accept, daemon=True)

    def __enter__(self) -> HostileServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self._listener.close()
        for sock in self._open:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def settle(self) -> None:
        """Wait until every connection so far is closed on this side."""
        for talk in self._conversations:
            talk.join(PATIENCE)

    def _accept(self) -> None:
        with suppress(OSError):  # the listener is closed: the end
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                sock.settimeout(PATIENCE)
                self._open.append(sock)
                talk = Thread(target=self._serve, args=(sock,), daemon=True)
                self._conversations.append(talk)
                talk.start()

    def _serve(self, raw: socket.socket) -> None:
        with raw, suppress(OSError):  # the client has gone: that is what we are for
            sock = raw
            if self._tls is not None:
                sock = self._tls.wrap_socket(raw, server_side=True)
            with sock, sock.makefile("rb") as stream:
                while (request := _read_request(stream)) is not None:
                    with self._lock:
                        self.requests.append(request)
                        last = len(self._behaviours) == 1
                        act = self._behaviours[0] if last else self._behaviours.pop(0)
                    if act(sock) is False:
                        return


class SilentServer(HostileServer):
    """Accepts connections and sends bytes slowly, without waiting for a request."""

    def __init__(self, drip: Behaviour) -> None:
        super().__init__(drip)

    def _serve(self, raw: socket.socket) -> None:
        with raw, suppress(OSError):
            self._behaviours[0](raw)


def says(
    body: bytes = b"{}", *, status: int = 200, close: bool = False, **headers: str
) -> Behaviour:
    """Answer as one should; `Content_Type="..."` names a header."""
    head = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    head |= {name.replace("_", "-"): value for name, value in headers.items()}

    def act(sock: socket.socket) -> bool:
        sock.sendall(_head(status, head) + body)
        return not close

    return act


def redirects(target: str, *, status: int = 302) -> Behaviour:
    """Send the client elsewhere."""
    return says(b"", status=status, Location=target)


def sends(pieces: Iterable[bytes]) -> Behaviour:
    """Send these bytes unchanged and close."""

    def act(sock: socket.socket) -> bool:
        for piece in pieces:
            sock.sendall(piece)
        return False

    return act


def drips(start: bytes, *, pause: float = 0.05, times: int = 60) -> Behaviour:
    """Send `start`, then one byte at a time, never pausing for long; then close."""

    def act(sock: socket.socket) -> bool:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(start)
        for _ in range(times):
            time.sleep(pause)
            sock.sendall(b"x")
        return False

    return act


def floods(start: bytes, piece: bytes, *, megabytes: int = 20) -> Counted:
    """Send `start`, then `piece` again and again."""
    return Counted(start, piece, megabytes * 1_000_000 // len(piece))


class Counted:
    """The flood, which remembers how much of it was wanted."""

    def __init__(self, start: bytes, piece: bytes, times: int) -> None:
        self._start, self._piece, self._times = start, piece, times
        self.sent = 0
        self.is_complete = False

    def __call__(self, sock: socket.socket) -> bool:
        """Flood one connection."""
        sock.sendall(self._start)
        for piece in repeat(self._piece, self._times):
            sock.sendall(piece)
            self.sent += len(piece)
        self.is_complete = True
        return False


def hangs_up(sock: socket.socket) -> bool:
    """Read the request and close without a word."""
    return False


def head(**headers: str) -> bytes:
    """Return the beginning of an honest answer, up to its body."""
    return _head(
        200, {name.replace("_", "-"): value for name, value in headers.items()}
    )


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Reason"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _read_request(stream: Any) -> Request | None:
    first = stream.readline().decode("latin-1").split()
    if len(first) != 3:
        return None
    headers = {}
    while line := stream.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.title()] = value.strip()
    body = stream.read(int(headers.get("Content-Length", "0")))
    return Request(first[0], first[1], headers, body)
