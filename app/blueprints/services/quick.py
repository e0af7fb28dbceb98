"""Quick answers (`app.web.front`) of /auth/verify, /auth/session and the JWKS.

Each is the answer that the view of the same path gives to a request without anything
special; a test compares the two. What was found out for a request that the view answers
after all is in its environ, so that the database is asked once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from wsgiref.types import WSGIEnvironment

from app.flows import UseCases
from app.flows.errors import FlowError
from app.flows.sessions.verify import Known
from app.tokens.keys import KeyRing
from app.web.context import Site
from app.web.cookies import MOST_TOKENS
from app.web.front import EMPTY, JSON, Answer, Complete, json_body, length_of
from app.web.requests import bearer_in, cookies_in, found_for
from app.web.responses import document_headers

from . import session, verify

VERIFY: Final = "/auth/verify"
SESSION: Final = "/auth/session"
JWKS: Final = "/.well-known/jwks.json"


@dataclass(frozen=True, slots=True)
class Presented:
    """The tokens of a request."""

    bearer: str | None
    cookies: list[str]

    @classmethod
    def of(cls, environ: WSGIEnvironment, here: Site) -> Presented | None:
        """Return the tokens, or None if reading the cookies takes more than a look.

        The cookie's former name is for the view.
        """
        cookies = environ.get("HTTP_COOKIE", "")
        former = here.former_cookie_name
        tokens = cookies_in(cookies, here.cookie_name)
        if tokens is None or (former is not None and former in cookies):
            return None
        bearer = bearer_in(environ.get("HTTP_AUTHORIZATION", ""))
        return cls(bearer, tokens[:MOST_TOKENS])


class QuickVerify:
    """GET /auth/verify of a person who passes, whose cookie needs no renewal."""

    def __init__(self, flows: UseCases, site: Site, complete: Complete) -> None:
        self._flows = flows
        self._site = site
        self._others = complete((EMPTY, ("Content-Length", "0")))

    def __call__(self, environ: WSGIEnvironment) -> Answer | None:
        """Answer 200 and who makes the request, or None."""
        presented = Presented.of(environ, self._site)
        if presented is None or "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
            return None
        try:
            rule = verify.rule_of(environ["QUERY_STRING"])
            known = found_for(environ, lambda: self._known(presented))
            if known is None or self._is_due(known, presented):
                return None
            rule.require(known.identified.claims, known.identified.groups)
        except FlowError:
            return None
        seconds = verify.kept_by_nginx(known, self._site.clock())
        kept = ("X-Accel-Expires", str(seconds))
        return Answer((*verify.headers_of(known), kept, *self._others))

    def _known(self, presented: Presented) -> Known | None:
        return self._flows.verify.first_of((presented.bearer, *presented.cookies))

    def _is_due(self, known: Known, presented: Presented) -> bool:
        is_cookie = known.token != presented.bearer
        return is_cookie and self._flows.renew_on_use.is_due(known.identified)


class QuickSession:
    """GET /auth/session of a service with a good token."""

    def __init__(self, flows: UseCases, site: Site, complete: Complete) -> None:
        self._flows = flows
        self._site = site
        self._others = complete((JSON, ("Vary", "Origin")))

    def __call__(self, environ: WSGIEnvironment) -> Answer | None:
        """Answer 200 and whom the token names, or None."""
        presented = Presented.of(environ, self._site)
        if presented is None or "HTTP_ORIGIN" in environ:
            return None
        tokens = [presented.bearer] if presented.bearer else presented.cookies
        identified = found_for(environ, lambda: self._flows.identify.first_of(tokens))
        if identified is None:
            return None
        body = json_body(session.described(identified))
        return Answer((*self._others, length_of(body)), body)


class QuickJwks:
    """The JWKS, from memory until a key changes."""

    def __init__(self, keys: Callable[[], KeyRing], complete: Complete) -> None:
        self._keys = keys
        self._complete = complete
        self._made: tuple[KeyRing, str, Answer, Answer] | None = None

    def __call__(self, environ: WSGIEnvironment) -> Answer | None:
        """Answer with the keys, or 304 to the ETag of the same ones."""
        try:
            ring, made = self._keys(), self._made
        except FlowError:
            return None
        if made is None or made[0] is not ring:
            self._made = made = self._make(ring)
        _, etag, answer, unchanged = made
        asked = environ.get("HTTP_IF_NONE_MATCH")
        if asked is None:
            return answer
        return unchanged if asked == etag else None

    def _make(self, ring: KeyRing) -> tuple[KeyRing, str, Answer, Answer]:
        body = json_body(ring.jwks())
        headers = document_headers(body)
        answer = Answer(self._complete((JSON, *headers, length_of(body))), body)
        unchanged = Answer(self._complete(headers), status="304 NOT MODIFIED")
        return ring, dict(headers)["ETag"], answer, unchanged
