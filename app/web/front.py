"""WSGI middleware: answers what services, proxies and apps ask before Flask.

They ask with every request or sign-in of theirs, and Flask takes longer for one than
the answer. A path has a `Quick`, which answers what it is sure of and leaves the rest
to the view of the same path: refusals, pages, renewals, and calls of web pages.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from app.telemetry.context import current

_in_json: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode

JSON: Final = ("Content-Type", "application/json")
EMPTY: Final = ("Content-Type", "text/html; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, with the headers of every answer (`headers.completed`)."""

    headers: Sequence[tuple[str, str]]
    body: bytes = b""
    status: str = "200 OK"


Complete = Callable[[Sequence[tuple[str, str]]], Sequence[tuple[str, str]]]
"""Adds the headers that every answer has."""

Quick = Callable[["WSGIEnvironment"], Answer | None]
"""Answers a request, or returns None to have the view answer."""


class Front:
    """Answers requests of some methods and paths by their `Quick`."""

    def __init__(
        self,
        app: WSGIApplication,
        *,
        quick: Mapping[tuple[str, str], Quick],
        quiet: Iterable[str],
    ) -> None:
        """`quiet` are the paths whose log lines are at debug."""
        self._app = app
        self._quick = dict(quick)
        self._quiet = frozenset(quiet)

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Serve one request."""
        path = environ["PATH_INFO"]
        quick = self._quick.get((environ["REQUEST_METHOD"], path))
        if quick is None:
            return self._app(environ, start_response)
        self._note(path)
        answer = quick(environ)
        if answer is None:
            return self._app(environ, start_response)
        start_response(answer.status, list(answer.headers))
        return (answer.body,) if answer.body else ()

    def _note(self, path: str) -> None:
        """Note the route in the log context, as the view would."""
        context = current()
        if context is not None:
            context.route = context.path = path
            context.is_quiet = path in self._quiet


def json_body(document: Mapping[str, Any]) -> bytes:
    """Return what Flask's `jsonify` returns."""
    return f"{_in_json(document)}\n".encode()


def length_of(body: bytes) -> tuple[str, str]:
    """Return the header Content-Length."""
    return ("Content-Length", str(len(body)))
