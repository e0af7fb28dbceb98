"""Quick answers (`app.web.front`) of /oauth/authorize and /oauth/token.

Both come with each sign-in to an app. A person who is signed in and has consented is
redirected to the app, and a client gets its tokens. The view of the same path answers
all else, with what was found out here: nothing is judged or used up twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import Request
from werkzeug.exceptions import HTTPException

from app.flows.provider.authorization.answers import Answer as Answered
from app.flows.provider.authorization.authorize import Authorize, Waits
from app.flows.provider.tokens.exchange import ExchangeToken
from app.web.context import Site
from app.web.cookies import SESSION
from app.web.front import EMPTY, JSON, Answer, Complete, json_body, length_of
from app.web.programs import READABLE, caller
from app.web.requests import found_for
from app.web.security.access import is_speculative

from .leading import has_source

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

LONGEST_FORM: Final = 16 * 1024
"""Bytes of a form that is read here; the view has the limit."""


class QuickAuthorize:
    """GET /oauth/authorize that leads to the app at once, with a code or an error."""

    def __init__(self, authorize: Authorize, site: Site, complete: Complete) -> None:
        self._authorize = authorize
        self._site = site
        self._cookie = f"{site.cookie_prefix}{SESSION}"
        self._others = complete(
            (EMPTY, length_of(b""), ("Referrer-Policy", "no-referrer"))
        )

    def __call__(self, environ: WSGIEnvironment) -> Answer | None:
        """Redirect to the app, or return None."""
        asked = Request(environ)
        if not self._is_plain(asked):
            return None
        found = found_for(environ, lambda: self._found(asked))
        if not isinstance(found, Answered):
            return None
        if not has_source(found.url, is_secure=self._site.is_secure):
            return None
        location = ("Location", found.url)
        return Answer((location, *self._others), status="303 SEE OTHER")

    def _is_plain(self, asked: Request) -> bool:
        """Tell whether the checks before the view would let the request pass."""
        host = asked.headers.get("Host", "").lower()
        return (
            self._site.has_provider
            and not is_speculative(asked)
            and (self._site.is_secure or "localhost" not in host)
            and asked.query_string.isascii()
        )

    def _found(self, asked: Request) -> Answered | Waits:
        return self._authorize(
            asked.args.to_dict(flat=False),
            cookie=asked.cookies.get(self._cookie),
            address=asked.remote_addr or "",
        )


class QuickToken:
    """POST /oauth/token that brings tokens."""

    def __init__(self, exchange: ExchangeToken, site: Site, complete: Complete) -> None:
        self._exchange = exchange
        self._site = site
        own = ("Pragma", "no-cache"), ("Referrer-Policy", "no-referrer")
        self._others = complete((JSON, *own, *READABLE))

    def __call__(self, environ: WSGIEnvironment) -> Answer | None:
        """Answer 200 and the tokens, or None."""
        asked = Request(environ)
        if not self._site.has_provider or not _has_form(asked):
            return None
        tokens = found_for(environ, lambda: self._exchange(caller(asked)))
        if tokens is None:
            return None
        body = json_body(tokens)
        return Answer((*self._others, length_of(body)), body)


def _has_form(asked: Request) -> bool:
    """Read a form; a body that is late or incomplete fails once more in the view."""
    length = asked.content_length
    if length is None or length > LONGEST_FORM:
        return False
    try:
        return bool(asked.form)
    except (HTTPException, OSError):
        return False
