"""Verify the platform token (JWT): signature, issuer, audience, times, claims.

The signature is verified before any claim is read, by the key that the header names and
with that key's algorithm. Only tokens of the form that we issue pass.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from app.atproto.crypto.encoding import sha256_hex
from app.atproto.stores.memory import MemoryCache
from app.atproto.syntax.grammar import Did, Handle

from .errors import TokenExpired, TokenInvalid
from .keys import TYP, KeyRing, VerifyingKey, claimed_kid

MAX_LENGTH: Final = 8_192
"""Characters; a longer text is refused before it is parsed."""

SEEN_LIFETIME: Final = 600.0
"""Seconds for which a process remembers the claims of a token."""

SEEN_TOKENS: Final = 5_000

LEEWAY: Final = 30
"""Seconds by which `iat` and `nbf` may be in the future, because clocks of nodes
differ. `exp` has none: an expired token is refused at its second."""

_STRINGS: Final = ("iss", "sub", "aud", "jti", "sid", "username")
_TIMES: Final = ("iat", "nbf", "exp")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedClaims:
    """Claims of a token whose signature and claims were verified."""

    did: Did
    sid: str
    handle: Handle | None
    username: str
    issued_at: int
    expires_at: int
    jti: str


@dataclass(frozen=True, slots=True)
class Seen:
    """The claims of a token, and the keys with which it was verified."""

    claims: VerifiedClaims
    ring: KeyRing


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenVerifier:
    """Verifies tokens with the keys that the ring publishes now."""

    ring: Callable[[], KeyRing]
    issuer: str
    audience: str
    clock: Callable[[], float]
    seen: MemoryCache[Seen] | None = None
    """Tokens that were verified before, by their hash; None: none are kept. `exp` and
    the keys are checked each time, and the session is the caller's to check."""
    reread: Callable[[], KeyRing] | None = None
    """Reads the keys again when a token names a key that another node may just have
    made; None: the ring is never behind."""

    def verify(self, token: str) -> VerifiedClaims:
        """Return the claims of a token; the caller checks that its session is live.

        Raises:
            TokenExpired: `exp` has passed.
            TokenInvalid: not a token of this platform for any other reason.
        """
        if len(token) > MAX_LENGTH or not token.isascii():
            raise TokenInvalid("not the form of a token")
        if self.seen is None:
            return self._read(token, self.ring())
        key, ring = sha256_hex(token), self.ring()
        seen = self.seen.get(key)
        if seen is not None and seen.ring is ring:
            self.check_expiry(seen.claims)
            return seen.claims
        claims = self._read(token, ring)
        # After a reread the ring is another one: then this entry counts no more.
        self.seen.put(key, Seen(claims, ring), lifetime=SEEN_LIFETIME)
        return claims

    def _read(self, token: str, ring: KeyRing) -> VerifiedClaims:
        header, payload = self._key_of(token, ring).open(token)
        if header.get("typ") != TYP:
            raise TokenInvalid("signed for another purpose (typ)")
        claims = _parse_claims(payload)
        if (claims["iss"], claims["aud"]) != (self.issuer, self.audience):
            raise TokenInvalid("another issuer or audience")
        if max(claims["iat"], claims["nbf"]) > self.clock() + LEEWAY:
            raise TokenInvalid("issued in the future")
        verified = VerifiedClaims(
            did=Did(claims["sub"]),
            sid=claims["sid"],
            handle=None if claims["handle"] is None else Handle(claims["handle"]),
            username=claims["username"],
            issued_at=claims["iat"],
            expires_at=claims["exp"],
            jti=claims["jti"],
        )
        self.check_expiry(verified)
        return verified

    def check_expiry(self, claims: VerifiedClaims) -> None:
        """Raise `TokenExpired` if `exp` has passed."""
        if self.clock() >= claims.expires_at:
            raise TokenExpired("expired")

    def _key_of(self, token: str, ring: KeyRing) -> VerifyingKey:
        kid = claimed_kid(token)
        if self.reread is not None and not ring.has(kid):
            ring = self.reread()
        return ring.verifying(kid)


def _parse_claims(payload: bytes) -> dict[str, Any]:
    """Return the claims; each must be there and of its type."""
    try:
        claims = json.loads(payload.decode())
    except ValueError as error:
        raise TokenInvalid("the payload is not JSON") from error
    if not isinstance(claims, dict):
        raise TokenInvalid("the payload is no set of claims")
    for name in _STRINGS:
        if type(claims.get(name)) is not str:
            raise TokenInvalid(f"claim {name}")
    for name in _TIMES:
        # type(), because a bool is an int.
        if type(claims.get(name)) is not int:
            raise TokenInvalid(f"claim {name}")
    if not isinstance(claims.get("handle", 0), str | None):
        raise TokenInvalid("claim handle")
    return claims
