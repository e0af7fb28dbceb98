"""Whole answers under gunicorn: a lean environment in, one write out.

Between its parser and its last byte, gunicorn takes longer for a question about a token
than the answer does. Here the same environment is made from what it has parsed, and an
answer that is whole is sent at once. Every other answer is written by gunicorn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from gunicorn import SERVER
from gunicorn.http.body import LengthReader
from gunicorn.http.wsgi import Response, base_environ
from gunicorn.util import http_date

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

KEYS: Final = {"CONTENT-LENGTH": "CONTENT_LENGTH", "CONTENT-TYPE": "CONTENT_TYPE"}
"""Headers that have a key of their own in an environment (PEP 3333)."""

PORTS: Final = {"http": "80", "https": "443"}


class HeadInvalid(ValueError):
    """A line break inside of a header: what follows would be a header of its own."""


class WholeAnswers:
    """Serves GET requests of some paths that have no body."""

    def __init__(
        self,
        app: WSGIApplication,
        *,
        paths: Iterable[str],
        cfg: Any,
        clock: Callable[[], float],
    ) -> None:
        """`cfg` is gunicorn's configuration."""
        self._app = app
        self._paths = frozenset(paths)
        self._cfg = cfg
        self._clock = clock
        self._date = (0, "")
        self._always: WSGIEnvironment = {
            **base_environ(cfg),
            "wsgi.multithread": True,
            "REQUEST_METHOD": "GET",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SCRIPT_NAME": "",
        }

    def serves(self, req: Any) -> bool:
        """Tell whether a request that gunicorn has parsed is served here."""
        if req.path not in self._paths or req.method != "GET" or req.version != (1, 1):
            return False
        reader = req.body.reader
        return isinstance(reader, LengthReader) and reader.length == 0

    def serve(
        self, req: Any, sock: Any, *, peer: Any, server: Any, is_last: bool
    ) -> bool:
        """Serve a request; tell whether the connection has to be closed.

        `peer` and `server` are addresses as the sockets give them; `is_last` says that
        no other request of the connection is served.
        """
        environ = self.environ_of(req, sock, peer=peer, server=server)
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], *_error: Any) -> Any:
            started.append((status, headers))

        answer: Any = self._app(environ, start)
        try:
            status, headers = started[-1]
            whole: bytes | None = getattr(answer, "whole", None)
            if whole is not None:
                _send(sock, self._head(status, headers, is_last=is_last) + whole)
                return is_last
            response = Response(req, sock, self._cfg)
            if is_last:
                response.force_close()
            response.start_response(status, headers)
            for part in answer:
                response.write(part)
            response.close()
            return bool(response.should_close())
        finally:
            close = getattr(answer, "close", None)
            if close is not None:
                close()

    def environ_of(
        self, req: Any, sock: Any, *, peer: Any, server: Any
    ) -> WSGIEnvironment:
        """Return the environment that gunicorn makes, without its early hints."""
        environ = self._always.copy()
        environ["QUERY_STRING"] = req.query
        environ["RAW_URI"] = req.uri
        environ["PATH_INFO"] = req.path
        environ["wsgi.input"] = req.body
        environ["wsgi.url_scheme"] = req.scheme
        environ["gunicorn.socket"] = sock
        for name, value in req.headers:
            key = KEYS.get(name) or f"HTTP_{name.replace('-', '_')}"
            before = environ.get(key)
            environ[key] = value if before is None else f"{before},{value}"
        if isinstance(peer, tuple):
            environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = peer[0], str(peer[1])
        else:  # a unix socket's, which has no name
            environ["REMOTE_ADDR"] = peer if isinstance(peer, str) else peer.decode()
        if isinstance(server, tuple):
            environ["SERVER_NAME"], environ["SERVER_PORT"] = server[0], str(server[1])
        else:
            name, _, port = environ.get("HTTP_HOST", "").partition(":")
            environ["SERVER_NAME"] = name or server
            environ["SERVER_PORT"] = port or (PORTS[req.scheme] if name else "")
        return environ

    def _head(
        self, status: str, headers: Sequence[tuple[str, str]], *, is_last: bool
    ) -> bytes:
        lines = [
            f"HTTP/1.1 {status}",
            f"Server: {SERVER}",
            self._date_line(),
            "Connection: close" if is_last else "Connection: keep-alive",
        ]
        lines += [f"{name}: {value}" for name, value in headers]
        head = "\r\n".join(lines)
        if len(head.splitlines()) != len(lines):
            raise HeadInvalid(status)
        return f"{head}\r\n\r\n".encode("latin-1")

    def _date_line(self) -> str:
        now = int(self._clock())
        if now != self._date[0]:
            self._date = now, f"Date: {http_date(now)}"
        return self._date[1]


def _send(sock: Any, data: bytes) -> None:
    # gevent's sendall looks at the socket's buffers first, which takes as long again.
    sent = sock.send(data)
    if sent < len(data):
        sock.sendall(data[sent:])
