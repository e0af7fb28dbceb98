"""WSGI middleware: answers a repeated request again, before Flask sees it.

Apps ask /oauth/userinfo with the same token, and fetch the provider's metadata. What
services and proxies ask is answered by `front.py`. A view of REPEATED may `keep` its
answer; the same request then gets it for as long as the view's condition holds. Every
header of a request tells it apart, but for those of IGNORED, so that what a view reads
tomorrow counts without a change here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import request

from app.telemetry.context import current

REPEATED: Final = frozenset(
    {
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/oauth/userinfo",
    }
)

MOST_ANSWERS: Final = 2_000
"""Answers of one process; the one not asked for longest goes first."""

LONGEST_REQUEST: Final = 4096
"""Characters of path, query and headers; a longer request is answered anew."""

LONGEST_BODY: Final = 16 * 1024
"""Bytes of an answer that is kept."""

IGNORED: Final = frozenset(
    {
        # Where the person goes: read for the login URL of a refusal, which is not kept.
        "HTTP_X_ORIGINAL_URL",
        "HTTP_X_ORIGINAL_URI",
        "HTTP_X_FORWARDED_URI",
        "HTTP_REFERER",
        # Whom the log names; RequestLog and Forwarded read them before.
        "HTTP_USER_AGENT",
        "HTTP_X_FORWARDED_FOR",
        "HTTP_X_REAL_IP",
        "HTTP_X_REQUEST_ID",
        "HTTP_TRACEPARENT",
        "HTTP_TRACESTATE",
        # How the browser would like what the service behind the proxy answers.
        "HTTP_ACCEPT_ENCODING",
        "HTTP_RANGE",
    }
)

_SLOT: Final = "latchkey.keep"


def keep(still: Callable[[], bool], environ: WSGIEnvironment | None = None) -> None:
    """Let the answer of this request, a 200, be given again while `still()` is true.

    `environ` is that of the request, by default the one that Flask serves.

    `still` is called for each repeated request in its log context, and does what the
    view does besides answering, such as counting.
    """
    slot = (request.environ if environ is None else environ).get(_SLOT)
    if slot is not None:
        slot.append(still)


@dataclass(frozen=True, slots=True)
class _Kept:
    status: str
    headers: list[tuple[str, str]]
    body: bytes
    still: Callable[[], bool]
    route: str
    is_quiet: bool


class Repeated:
    """Keeps the answers of one process."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._kept: OrderedDict[tuple[str, ...], _Kept] = OrderedDict()

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Serve one request."""
        if environ["PATH_INFO"] not in REPEATED or environ["REQUEST_METHOD"] != "GET":
            return self._app(environ, start_response)
        key = _key_of(environ)
        kept = self._kept.get(key)
        if kept is not None and self._still(key, kept):
            start_response(kept.status, list(kept.headers))
            return (kept.body,)
        return self._answer(environ, start_response, key)

    def _still(self, key: tuple[str, ...], kept: _Kept) -> bool:
        context = current()
        if context is not None:
            context.route = context.path = kept.route
            context.is_quiet = kept.is_quiet
        self._kept.pop(key, None)
        if not kept.still():
            return False
        self._kept[key] = kept  # the newest again
        return True

    def _answer(
        self,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        key: tuple[str, ...],
    ) -> Iterable[bytes]:
        slot: list[Callable[[], bool]] = []
        environ[_SLOT] = slot
        begun: list[Any] = []

        def start(status: str, headers: Any, *more: Any) -> Any:
            begun[:] = status, list(headers)
            return start_response(status, headers, *more)

        answer = self._app(environ, start)
        if not slot or not begun or not begun[0].startswith("200"):
            return answer
        body = _read(answer)
        kept = _Kept(begun[0], begun[1], body, slot[0], *_noted())
        if _may_keep(key, kept):
            self._kept[key] = kept
        while len(self._kept) > MOST_ANSWERS:
            self._kept.popitem(last=False)
        return (body,)


def _noted() -> tuple[str, bool]:
    """Return what the log context has of the request's route."""
    context = current()
    return ("", False) if context is None else (context.route, context.is_quiet)


def _key_of(environ: WSGIEnvironment) -> tuple[str, ...]:
    """Return what tells a request apart: its path, its query, and its headers."""
    told = [environ["PATH_INFO"], environ["QUERY_STRING"]]
    for name, value in environ.items():
        if name.startswith("HTTP_") and name not in IGNORED:
            told += (name, value)
    return tuple(told)


def _read(answer: Iterable[bytes]) -> bytes:
    close = getattr(answer, "close", None)
    try:
        return b"".join(answer)
    finally:
        if close is not None:
            close()


def _may_keep(key: tuple[str, ...], kept: _Kept) -> bool:
    """Tell whether an answer is small and sets no cookie, which is for one browser."""
    sets_cookie = any(name.lower() == "set-cookie" for name, _ in kept.headers)
    is_small = sum(map(len, key)) <= LONGEST_REQUEST and len(kept.body) <= LONGEST_BODY
    return is_small and not sets_cookie
