"""What programs send: a Bearer token (RFC 6750 section 2.1), and one JSON object.

Only `application/json` is read. A page of another site cannot send it without a
preflight (Fetch section 4.8), and we answer none of those.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar
from wsgiref.types import WSGIEnvironment

from flask import g, request

from app.atproto.syntax.foreign_json import parse_json

WAIT: Final = re.compile(r"(?i)(?:^|[,;])\s*wait\s*=\s*([0-9]{1,9})\s*(?=$|[,;])")

FOUND: Final = "latchkey.found"
"""Key of a WSGI environ: a callable that returns or raises what was found out."""

Found = TypeVar("Found")


class BodyInvalid(Exception):
    """Not a JSON object, not sent as one, or with a member that is not text."""


def bearer_token() -> str | None:
    """Return the token, "" where the scheme is named without one; None without scheme.

    The Authorization header is parsed once in a request, and not by
    `request.authorization`, which raises for Basic credentials that are not ASCII.
    """
    if "bearer_token" not in g:
        g.bearer_token = bearer_in(request.headers.get("Authorization", ""))
    token: str | None = g.bearer_token
    return token


def cookies_in(header: str, name: str) -> list[str] | None:
    """Return the values of a cookie, in their order; None if that takes a parser.

    Quotes and what is no ASCII are for werkzeug's parser, which takes longer.
    """
    if '"' in header or not header.isascii():
        return None
    prefix = f"{name}="
    pairs = (pair.strip() for pair in header.split(";"))
    return [pair[len(prefix) :] for pair in pairs if pair.startswith(prefix)]


def bearer_in(authorization: str) -> str | None:
    """Return the Bearer token of an Authorization header, as `bearer_token` does."""
    scheme, _, rest = authorization.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else None


def found_or(ask: Callable[[], Found]) -> Found:
    """Return what a quick answer has found out already (`app.web.front`), or ask."""
    found: Callable[[], Found] | None = request.environ.pop(FOUND, None)
    return ask() if found is None else found()


def found_for(environ: WSGIEnvironment, ask: Callable[[], Found]) -> Found | None:
    """Ask for a quick answer, and leave the outcome for the view (`found_or`).

    None if asking raises: then the view raises the same, and it is answered there.
    """
    try:
        found = ask()
    except Exception as error:  # noqa: BLE001 - raised again by the view
        environ[FOUND] = _raising(error)
        return None
    environ[FOUND] = lambda: found
    return found


def _raising(error: Exception) -> Callable[[], Any]:
    def again() -> Any:
        raise error

    return again


def json_object() -> dict[str, Any]:
    """Return the object that was sent. Raises `BodyInvalid`."""
    try:
        body = parse_json(request.get_data()) if request.is_json else None
    except ValueError as error:
        raise BodyInvalid("not JSON of one meaning") from error
    if not isinstance(body, dict):
        raise BodyInvalid("not a JSON object, or not sent as one")
    return body


def text_of(body: dict[str, Any], name: str) -> str | None:
    """Return a member of it, None when it is missing. Raises `BodyInvalid`."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise BodyInvalid(f"{name} is not text")
    return value


def preferred_wait(longest: int) -> int:
    """Return how long the caller prefers to wait (RFC 7240 section 4.3), bounded."""
    preferred = WAIT.search(", ".join(request.headers.getlist("Prefer")))
    if preferred is None or request.method != "GET":
        return 0
    return min(int(preferred[1]), longest)
