"""A server that suggests accounts while a handle is typed: LATCHKEY_TYPEAHEAD_URL.

The reference PDS has none of its own: it passes the question on to an AppView.
"""

from __future__ import annotations

import json
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.lab.network import SEARCH

URL = f"https://{SEARCH}/accounts"
AVATAR = f"https://{SEARCH}/avatar"
PICTURE = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAA"
    "AABJRU5ErkJggg=="
)
"""A PNG of one pixel."""


class Search(ThreadingHTTPServer):
    """Knows accounts by handle, with the names of their people."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Answer)
        self.known: dict[str, str] = {}

    def found(self, typed: str) -> list[dict[str, str]]:
        """Return the accounts whose handle begins with what was typed."""
        return [
            {"handle": handle, "displayName": name, "avatar": AVATAR}
            for handle, name in self.known.items()
            if handle.startswith(typed)
        ]


class Answer(BaseHTTPRequestHandler):
    """One request."""

    server: Search

    def do_GET(self) -> None:
        """Answer with accounts, or with the one picture."""
        asked = urlsplit(self.path)
        if asked.path == urlsplit(AVATAR).path:
            self._send("image/png", PICTURE)
            return
        [typed] = parse_qs(asked.query)["q"]
        actors = {"actors": self.server.found(typed)}
        self._send("application/json", json.dumps(actors).encode())

    def _send(self, media_type: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing: pytest shows what the test says."""


@contextmanager
def open_search(port: int) -> Iterator[Search]:
    """Serve until the block ends."""
    with Search(port) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
