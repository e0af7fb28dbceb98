"""Connections of the benchmarks to a server: a request, and its whole answer."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Protocol

CONNECTIONS = 16


class Measured(Protocol):
    """What listens, and knows the CPU time that it has taken."""

    @property
    def path(self) -> Path | int:
        """The unix socket, or the port on 127.0.0.1."""

    def cpu_seconds(self) -> float:
        """Return the CPU seconds so far."""


def connect(server: Measured) -> socket.socket:
    if isinstance(server.path, int):
        return socket.create_connection(("127.0.0.1", server.path))
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(server.path))
    return connection


def read_answer(connection: socket.socket) -> None:
    """Read one answer; anything but 2xx is a mistake of the benchmark."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(65536)
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 2"):
        raise RuntimeError(head.decode())
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    while len(body) < length:
        body += connection.recv(65536)


def get(path: str, cookie: str = "") -> bytes:
    line = f"Cookie: {cookie}\r\n" if cookie else ""
    return f"GET {path} HTTP/1.1\r\nHost: latchkey\r\n{line}\r\n".encode()
