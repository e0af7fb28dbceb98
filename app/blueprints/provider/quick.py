"""Quick answers (`app.web.front`) of what comes with each sign-in to an app.

A person who is signed in and has consented is redirected to the app, a client gets its
tokens, and what its tokens say. The view of the same path answers all else, with what
was found out here: nothing is judged or used up twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from wsgiref.types import WSGIEnvironment

from flask import Request
from werkzeug.exceptions import HTTPException

from app.flows.limits.networks import network_of
from app.flows.provider.authorization.answers import Answer as Answered
from app.flows.provider.authorization.authorize import Authorize, Waits
from app.flows.provider.tokens import TokenUseCases
from app.flows.provider.tokens.client_authentication import Caller
from app.web.context import Site
from app.web.cookies import SESSION
from app.web.front import EMPTY, JSON, Answer, Complete, json_body, length_of
from app.web.programs import READABLE, caller, parameters_in
from app.web.repeated import keep
from app.web.requests import bearer_in, cookies_in, found_for
from app.web.security.access import is_speculative

from .leading import has_source
from .userinfo import while_good

NO_REFERRER: Final = ("Referrer-Policy", "no-referrer")

LONGEST_FORM: Final = 16 * 1024
"""Bytes of a form that is read here; the view has the limit."""


def cookie_of(asked: Request, name: str) -> str | None:
    """Return a cookie: the first of its name."""
    plain = cookies_in(asked.environ.get("HTTP_COOKIE", ""), name)
    if plain is None:
        return asked.cookies.get(name)
    return plain[0] if plain else None


class QuickAuthorize:
    """GET /oauth/authorize that leads to the app at once, with a code or an error."""

    def __init__(self, authorize: Authorize, site: Site, complete: Complete) -> None:
        self._authorize = authorize
        self._site = site
        self._cookie = f"{site.cookie_prefix}{SESSION}"
        self._others = complete((EMPTY, length_of(b""), NO_REFERRER))

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
            parameters_in(asked.query_string),
            cookie=cookie_of(asked, self._cookie),
            address=asked.remote_addr or "",
        )


Told = Mapping[str, Any]

OF_TOKEN: Final = (("Pragma", "no-cache"), *READABLE)
"""Headers of the token endpoint beside those of every program's."""


class QuickProgram:
    """POST of a client that is answered with JSON: its tokens, or what one is."""

    def __init__(
        self,
        ask: Callable[[Caller], Told],
        site: Site,
        complete: Complete,
        *,
        own: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._ask = ask
        self._site = site
        self._others = complete((JSON, NO_REFERRER, *own))

    def __call__(self, environ: WSGIEnvironment) -> Answer | None:
        """Answer 200 and what is told, or None."""
        asked = Request(environ)
        if not self._site.has_provider or not _has_form(asked):
            return None
        told = found_for(environ, lambda: self._ask(caller(asked)))
        if told is None:
            return None
        body = json_body(told)
        return Answer((*self._others, length_of(body)), body)


class QuickUserInfo:
    """GET /oauth/userinfo with a token that is good; it may be given again."""

    def __init__(self, tokens: TokenUseCases, site: Site, complete: Complete) -> None:
        self._tokens = tokens
        self._site = site
        self._others = complete((JSON, NO_REFERRER, *READABLE))

    def __call__(self, environ: WSGIEnvironment) -> Answer | None:
        """Answer 200 and the claims, or None."""
        token = bearer_in(environ.get("HTTP_AUTHORIZATION", ""))
        if not token or not self._site.has_provider:
            return None
        network = network_of(environ.get("REMOTE_ADDR", ""))
        still = while_good(self._tokens, self._site.clock)
        claims = found_for(
            environ, lambda: self._tokens.userinfo(token, network=network)
        )
        if claims is None:
            return None
        keep(still, environ)
        body = json_body(claims)
        return Answer((*self._others, length_of(body)), body)


def _has_form(asked: Request) -> bool:
    """Read a form; a body that is late or incomplete fails once more in the view."""
    length = asked.content_length
    if length is None or length > LONGEST_FORM:
        return False
    try:
        return bool(asked.get_data())
    except (HTTPException, OSError):
        return False
