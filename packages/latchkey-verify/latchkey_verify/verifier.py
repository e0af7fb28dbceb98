"""Verify a platform token (JWT) and return the person whom it names."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from urllib.parse import urlencode

from .document import Document
from .errors import NotSignedIn, SessionEnded, TokenInvalid, TokenMissing
from .fetch import Fetch, checked_origin, fetch
from .keys import KEY_TYPES, Keys, load_keys
from .revocations import Feed, Revocations
from .token import Opener

TYP: Final = "JWT"

MAX_TOKEN: Final = 8_192
"""Characters; a longer text is refused before it is parsed."""

MAX_COOKIES: Final = 8
"""Cookies of the name that are tried; a browser may send several."""

KEYS_FRESH, KEYS_STALE = 300.0, 3_600.0
"""Seconds: older keys are refreshed in the background, much older ones at once."""

FEED_FRESH, FEED_STALE = 10.0, 30.0
"""The same for the revocation feed, which the service lets caches keep for 10 s."""


_SPACES: Final = " \t"
"""White space of HTTP (RFC 9110 section 5.6.3)."""


@dataclass(frozen=True, slots=True)
class Person:
    """The person whom a token names."""

    did: str
    """The permanent id of the account: the key under which to store things."""
    username: str
    handle: str | None
    """As verified when the person last signed in; display text."""
    sid: str
    """The session: one person on one device."""
    issued_at: int
    expires_at: int


class Verifier:
    """Verifies the tokens of one service; threads may share it, and forks keep it."""

    def __init__(
        self,
        issuer: str,
        audience: str | None = None,
        *,
        algorithm: str = "RS256",
        cookie: str = "platform_token",
        fetch: Fetch = fetch,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Verify what the service at `issuer` signs; nothing is fetched yet.

        `issuer` is the service's PUBLIC_URL, `audience` its TOKEN_AUDIENCE (the issuer,
        when the service sets none), `algorithm` its TOKEN_ALGORITHM, `cookie` its
        COOKIE_NAME. The other arguments are for tests.

        Raises:
            ValueError: the issuer is no https origin, or the algorithm is none of ours.
        """
        if algorithm not in KEY_TYPES:
            msg = f"the algorithm is one of {', '.join(KEY_TYPES)}"
            raise ValueError(msg)
        self.issuer, self.cookie = checked_origin(issuer), cookie
        self.audience = audience or issuer
        keys = Document[Keys](
            lambda _: load_keys(fetch, issuer, algorithm),
            fresh=KEYS_FRESH,
            stale=KEYS_STALE,
            clock=monotonic,
        )
        self._opener = opener = Opener(issuer, algorithm, keys, clock)
        feed = Feed(
            issuer,
            fetch=fetch,
            open_jwt=lambda text, typ, longest: opener.open(
                text, typ=typ, longest=longest
            )[1],
            clock=clock,
        )
        self._ended = Document[Revocations](
            feed.load, fresh=FEED_FRESH, stale=FEED_STALE, clock=monotonic
        )

    def verify(self, token: str) -> Person:
        """Return the person whom a token names.

        Raises:
            TokenInvalid: not a token of this service, or for another audience.
            TokenExpired: it was one, until its `exp`.
            SessionEnded: its session was ended before.
            KeysUnavailable: no keys yet, and the service cannot be reached.
        """
        kid, claims = self._opener.open(token, typ=TYP, longest=MAX_TOKEN)
        if claims.get("aud") != self.audience:
            raise TokenInvalid("aud: another audience")
        person = _person(claims)
        ended = self._ended.get() or Revocations()
        if ended.keys and kid not in ended.keys:
            # It was dropped, or published after the feed was read.
            self._opener.require_key(kid)
        if person.sid in ended.sessions:
            raise SessionEnded("sid: the session has ended")
        return person

    def authenticate(self, *, authorization: str = "", cookies: str = "") -> Person:
        """Return the person of a request, by its Authorization and Cookie headers.

        A Bearer token decides alone. Of several cookies of the name, which sibling
        hosts may set, the first that verifies counts.

        Raises:
            TokenMissing: neither is there.
            NotSignedIn, KeysUnavailable: as `verify`, for the last one that was tried.
        """
        scheme, _, bearer = authorization.strip(_SPACES).partition(" ")
        if scheme.lower() == "bearer":
            return self.verify(bearer.strip(_SPACES))
        refusal: NotSignedIn = TokenMissing("the request has no token")
        for token in _cookies(cookies, self.cookie):
            try:
                return self.verify(token)
            except NotSignedIn as error:
                refusal = error
        raise refusal

    def login_url(self, return_to: str) -> str:
        """Return the address of the sign-in page, which leads back to `return_to`."""
        return f"{self.issuer}/auth/login?{urlencode({'return_to': return_to})}"


def _person(claims: Mapping[str, Any]) -> Person:
    for name in ("sub", "sid", "username"):
        if not isinstance(claims.get(name), str) or not claims[name]:
            msg = f"{name}: missing"
            raise TokenInvalid(msg)
    if not isinstance(claims.get("handle"), str | None):
        raise TokenInvalid("handle: not a text")
    return Person(
        did=claims["sub"],
        username=claims["username"],
        handle=claims.get("handle"),
        sid=claims["sid"],
        issued_at=claims["iat"],
        expires_at=claims["exp"],
    )


def _cookies(header: str, wanted: str) -> Iterator[str]:
    """Yield the values of the cookie, at most `MAX_COOKIES`."""
    values = (
        _unquoted(value.strip(_SPACES))
        for name, _, value in (pair.partition("=") for pair in header.split(";"))
        if name.strip(_SPACES) == wanted
    )
    yield from islice(values, MAX_COOKIES)


def _unquoted(value: str) -> str:
    is_quoted = len(value) > 1 and value[0] == value[-1] == '"'
    return value[1:-1] if is_quoted else value
