"""The HTTP server of the loopback redirect listener: one address, one path, one method.

A foreign `Host` is refused before anything else is read, so a web page whose name was
rebound to this machine (DNS rebinding) learns nothing (requirement 9.20).
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Final

from .answer import Desk
from .page import HEADERS, STRAY, Outcome

log = logging.getLogger(__name__)

FAMILIES: Final = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}
MOST_VISITS: Final = 32
"""Concurrent connections; browsers open some that they never use."""

PATIENCE: Final = 5.0
"""Seconds that a client may be silent within a request."""


class LoopbackServer(ThreadingHTTPServer):
    """Accepts on one loopback address; a silent client delays no other."""

    allow_reuse_address = os.name == "posix"  # on Windows it would share the port
    request_queue_size = 2 * MOST_VISITS

    def __init__(
        self, host: str, port: int, *, path: str, program: str, desk: Desk
    ) -> None:
        self.address_family = FAMILIES[host]
        self.path = path
        self.program = program
        self.desk = desk
        self._visits: set[Any] = set()
        self._counting = threading.Lock()
        super().__init__((host, port), Visitor)
        name = f"[{host}]" if ":" in host else host
        self.authority = f"{name}:{self.server_port}"

    def server_bind(self) -> None:
        """Bind, without the look-up of our own name that HTTPServer does."""
        TCPServer.server_bind(self)
        self.server_port = self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in its own thread, unless there are too many."""
        with self._counting:
            has_room = len(self._visits) < MOST_VISITS
            if has_room:
                self._visits.add(request)
        if has_room:
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def close_request(self, request: Any) -> None:
        """Close a connection after its answer."""
        with self._counting:
            self._visits.discard(request)
            super().close_request(request)

    def server_close(self) -> None:
        """Stop listening, and read no further; an answer that is being sent arrives."""
        super().server_close()
        with self._counting:
            for request in self._visits:
                try:
                    request.shutdown(socket.SHUT_RD)
                except OSError:
                    continue  # it has gone already

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Log that a connection broke off, without its content (requirement 9.22)."""
        log.debug("a connection to the loopback listener broke off")


class Visitor(BaseHTTPRequestHandler):
    """One connection, one request."""

    server: LoopbackServer
    timeout = PATIENCE

    def do_GET(self) -> None:
        """Take the answer, or refuse another request and continue to wait."""
        if self.headers.get_all("Host") != [self.server.authority]:
            self._answer(STRAY)
            return
        path, _, query = self.path.partition("?")
        if path != self.server.path:
            self.send_error(404)
            return
        visit = self.server.desk.take(query)
        if visit is None:
            self._answer(STRAY)
        else:
            visit.shows(self._answer)

    def do_POST(self) -> None:
        """Refuse: redirects are followed with GET; HEAD must not use the answer up."""
        self.send_error(405)

    do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_POST  # noqa: N815

    def send_error(
        self,
        code: int,
        message: str | None = None,  # noqa: ARG002 - may quote the request
        explain: str | None = None,  # noqa: ARG002
    ) -> None:
        """Answer with a status and an empty body."""
        self._send(code, b"")

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the URL contains the code (requirement 9.22)."""

    def _answer(self, outcome: Outcome) -> None:
        self._send(outcome.status, outcome.page(self.server.program))

    def _send(self, status: int, body: bytes) -> None:
        self.send_response_only(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if status == 405:
            self.send_header("Allow", "GET")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
