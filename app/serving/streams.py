"""Memory of streams under gevent: each one waits on a stack that was never deep.

CPython keeps the Python frames of a greenlet in a block of its own, whose touched pages
stay until the greenlet ends. Flask's deepest call touches twice as many as waiting
needs, so the answer of a stream is made on another greenlet, which ends at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import gevent

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

STREAM: Final = "text/event-stream"
"""What a client accepts that gets a stream (HTML section 9.2)."""


class ShallowStreams:
    """WSGI middleware that makes the answer of a stream on a greenlet of its own."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Serve a request; what the application raises is raised here."""
        if STREAM not in environ.get("HTTP_ACCEPT", ""):
            return self._app(environ, start_response)
        making = gevent.spawn(self._app, environ, start_response)
        answer: Iterable[bytes] = making.get()
        return answer
