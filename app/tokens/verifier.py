"""Verify the platform token as strictly as it is issued.

The signature is checked before any claim is read, by the key that the header names and
with that key's own algorithm. What we issue is the only form that passes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.atproto.syntax.grammar import Did, Handle

from .errors import TokenExpired, TokenInvalid
from .keys import TYP, KeyRing, claimed_kid

MAX_LENGTH: Final = 8_192
"""Longer is no token of ours, and not worth parsing."""

LEEWAY: Final = 5
"""Seconds by which the clock of the node that issued may be ahead. An expired token
gets none: the same node's clock decided both ends."""

_STRINGS: Final = ("iss", "sub", "aud", "jti", "sid", "username")
_TIMES: Final = ("iat", "nbf", "exp")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedClaims:
    """Whom a token names; exists only after its signature and claims were checked."""

    did: Did
    sid: str
    handle: Handle | None
    username: str
    issued_at: int
    expires_at: int
    jti: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenVerifier:
    """Checks tokens against the ring as it is at that moment."""

    ring: Callable[[], KeyRing]
    issuer: str
    audience: str
    clock: Callable[[], float]

    def verify(self, token: str) -> VerifiedClaims:
        """Return whom the token names.

        Says nothing about whether the session still stands; that is the caller's.

        Raises:
            TokenExpired: its time is over.
            TokenInvalid: it is not a token of this platform in any other way.
        """
        if len(token) > MAX_LENGTH or not token.isascii():
            raise TokenInvalid("not the form of a token")
        header, payload = self.ring().verifying(claimed_kid(token)).open(token)
        if header.get("typ") != TYP:
            raise TokenInvalid("signed by us, for another purpose")
        claims = _parse_claims(payload)
        if (claims["iss"], claims["aud"]) != (self.issuer, self.audience):
            raise TokenInvalid("of another issuer or for another audience")
        self._check_times(claims)
        return VerifiedClaims(
            did=Did(claims["sub"]),
            sid=claims["sid"],
            handle=None if claims["handle"] is None else Handle(claims["handle"]),
            username=claims["username"],
            issued_at=claims["iat"],
            expires_at=claims["exp"],
            jti=claims["jti"],
        )

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = self.clock()
        if now >= claims["exp"]:
            raise TokenExpired("expired")
        if max(claims["iat"], claims["nbf"]) > now + LEEWAY:
            raise TokenInvalid("issued in the future")


def _parse_claims(payload: bytes) -> dict[str, Any]:
    """Return the claims, all there and each of its kind."""
    try:
        claims = json.loads(payload)
    except ValueError as error:
        raise TokenInvalid("the payload is not JSON") from error
    if not isinstance(claims, dict):
        raise TokenInvalid("the payload is no set of claims")
    for name in _STRINGS:
        if not isinstance(claims.get(name), str):
            raise TokenInvalid(f"claim {name}")
    for name in _TIMES:
        # type(), because a bool is an int.
        if type(claims.get(name)) is not int:
            raise TokenInvalid(f"claim {name}")
    if not isinstance(claims.get("handle", 0), str | None):
        raise TokenInvalid("claim handle")
    return claims
