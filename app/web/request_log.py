"""WSGI middleware: the log context of each request, X-Request-Id, and one access line.

The line is written when the answer has been sent, so a stream has one as well. It names
the route and no query: URLs of callbacks hold codes and states (requirement 9.22).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, request

from app.telemetry.context import ACCESS, Entered, LogContext, begin, current
from app.telemetry.events import Observer, RequestServed, ignore

log = logging.getLogger(ACCESS)

QUIET: Final = frozenset({"verify", "health", "well_known.jwks"})
"""Blueprints and views whose lines are logged at debug: machines ask there often."""

HEALTH: Final = frozenset({"/healthz", "/readyz"})
"""Routes whose 503 is an answer and no failure; readiness logs each change itself."""

LONGEST_PATH: Final = 200
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

PROGRAMS: Final = ("curl", "wget", "httpie", "python", "go-http-client", "okhttp")
BOTS: Final = ("bot", "crawler", "spider")


class RequestLog:
    """Gives each request its log context, and writes its line at the end."""

    def __init__(
        self,
        app: WSGIApplication,
        *,
        observe: Observer = ignore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._observe = observe
        self._clock = clock

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Serve one request."""
        served = Served(environ, clock=self._clock, observe=self._observe)

        def start(status: str, headers: Any, *more: Any) -> Any:
            served.status = int(status[:3])
            headers.append(("X-Request-Id", served.context.request_id))
            return start_response(status, headers, *more)

        with Entered(served.context):
            served.answer = self._app(environ, start)
        return served


class Served:
    """The body of an answer; its parts are made within the request's log context."""

    def __init__(
        self,
        environ: WSGIEnvironment,
        *,
        clock: Callable[[], float],
        observe: Observer,
    ) -> None:
        self.context: LogContext = begin(environ.get("HTTP_X_REQUEST_ID"))
        self.status = 0
        self.answer: Iterable[bytes] = ()
        self._environ = environ
        self._clock = clock
        self._observe = observe
        self._began = clock()

    @property
    def whole(self) -> bytes | None:
        """The body of a whole answer, as `front` gives it; None for any other."""
        return b"".join(self.answer) if type(self.answer) is tuple else None

    def __iter__(self) -> Iterator[bytes]:
        whole = self.whole
        return self._parts() if whole is None else iter((whole,))

    def _parts(self) -> Iterator[bytes]:
        parts = iter(self.answer)
        while True:
            with Entered(self.context):
                part = next(parts, None)
            if part is None:
                return
            yield part

    def close(self) -> None:
        """Close the answer and write the line."""
        close = getattr(self.answer, "close", None)
        try:
            if close is not None:
                with Entered(self.context):
                    close()
        finally:
            self._end(self._clock() - self._began)

    def _end(self, seconds: float) -> None:
        self._observe(RequestServed(self.context.route, self.status, seconds))
        level = logging.DEBUG if self._is_quiet() else logging.INFO
        if log.isEnabledFor(level):
            with Entered(self.context):
                self._write(level, seconds)

    def _is_quiet(self) -> bool:
        is_expected = self.status == 503 and self.context.route in HEALTH
        return self.context.is_quiet and (self.status < 500 or is_expected)

    def _write(self, level: int, seconds: float) -> None:
        given, record = self._environ, self.context
        method = given["REQUEST_METHOD"]
        fields = {
            "method": method if method in METHODS else "other",
            "path": record.path or "/",
            "status": self.status,
            "ms": round(1000 * seconds, 1),
            "address": given.get("REMOTE_ADDR", ""),
            "agent": agent_of(given.get("HTTP_USER_AGENT", "")),
            "code": record.code,
        }
        line = "%(method)s %(path)s %(status)d %(ms).0f ms %(address)s %(agent)s"
        if record.code:
            line += " %(code)s"
        log.log(level, line, fields, extra=fields)


def agent_of(text: str) -> str:
    """Return the class of a user agent; its own text is not logged."""
    text = text[:LONGEST_PATH].lower()
    if not text:
        return "none"
    if any(word in text for word in BOTS):
        return "bot"
    if text.startswith("mozilla/"):
        return "browser"
    return "program" if text.startswith(PROGRAMS) else "other"


def note_route() -> None:
    """Note the route of the request: its template, or the path that has none."""
    record = current()
    if record is None:
        return
    rule = request.url_rule
    if rule is None:
        record.path = quote(request.path[:LONGEST_PATH], safe="/")
        return
    record.route = record.path = rule.rule
    record.is_quiet = not QUIET.isdisjoint(
        {rule.endpoint, rule.endpoint.partition(".")[0]}
    )


def init_app(app: Flask) -> None:
    """Note each request's route before anything else looks at it."""
    app.before_request(note_route)
