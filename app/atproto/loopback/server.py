"""The HTTP side of a redirect listener: one address, one path, one method.

A foreign `Host` is refused before anything else is read, so a web page whose name was
rebound to this machine learns nothing here (requirement 9.20).
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any, Final

from .page import HEADERS, STRAY

if TYPE_CHECKING:
    from .answer import Desk
    from .page import Ending

log = logging.getLogger(__name__)

FAMILIES: Final = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}
MOST_VISITS: Final = 32
"""Connections at once; browsers open some that they never use."""

PATIENCE: Final = 5.0
"""Seconds for a visitor to go on with what it says."""


class LoopbackServer(ThreadingHTTPServer):
    """Accepts on one loopback address; a visitor that says nothing holds up nobody."""

    allow_reuse_address = os.name == "posix"  # elsewhere it would share the port
    request_queue_size = 2 * MOST_VISITS

    def __init__(
        self, host: str, port: int, *, path: str, program: str, desk: Desk
    ) -> None:
        """Bind and listen; see `LoopbackListener`."""
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
        """Bind, and leave out the look-up of our own name that HTTPServer makes."""
        TCPServer.server_bind(self)
        self.server_port = self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Hand a connection to a thread of its own, unless there are too many."""
        with self._counting:
            has_room = len(self._visits) < MOST_VISITS
            if has_room:
                self._visits.add(request)
        if has_room:
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def close_request(self, request: Any) -> None:
        """Close a connection that was answered."""
        with self._counting:
            self._visits.discard(request)
            super().close_request(request)

    def server_close(self) -> None:
        """Stop listening, and end the connections whose visitors still say nothing."""
        super().server_close()
        with self._counting:
            for request in self._visits:
                try:
                    request.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # it has gone already

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Say that a visitor broke off, and nothing of what it said (9.22)."""
        log.debug("a visit to the loopback listener broke off")


class Visitor(BaseHTTPRequestHandler):
    """One connection, one request."""

    server: LoopbackServer
    timeout = PATIENCE

    def do_GET(self) -> None:
        """Take the answer, or refuse what is none and go on waiting."""
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
        """Refuse: a redirect is followed with GET, and a HEAD must not use it up."""
        self.send_error(405)

    do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_POST  # noqa: N815

    def send_error(
        self,
        code: int,
        message: str | None = None,  # noqa: ARG002 - may quote what was asked
        explain: str | None = None,  # noqa: ARG002
    ) -> None:
        """Answer what is no answer: a status, and no echo."""
        self._send(code, b"")

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the address has the code in it (requirement 9.22)."""

    def _answer(self, ending: Ending) -> None:
        self._send(ending.status, ending.page(self.server.program))

    def _send(self, status: int, body: bytes) -> None:
        self.send_response_only(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if status == 405:
            self.send_header("Allow", "GET")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
