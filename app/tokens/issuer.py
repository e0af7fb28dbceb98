"""Issue the platform token (JWT), which tells a service who a person is.

It carries no AT Protocol token and is not stored; its `sid` names the session, which
can be ended.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from app.atproto.syntax.grammar import Did, Handle

from .errors import SigningKeyMissing
from .keys import TYP, KeyRing

BACKDATED: Final = 30
"""Seconds by which `iat` and `nbf` are in the past. A service whose clock is behind
ours would otherwise refuse a fresh token and redirect its visitor to us, in a loop."""


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token, and its claims `iat` and `exp`."""

    text: str = field(repr=False)
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenIssuer:
    """Signs with the active key of the ring."""

    ring: Callable[[], KeyRing]
    issuer: str
    audience: str
    lifetime: float
    clock: Callable[[], float]

    def issue(
        self, *, did: Did, sid: str, handle: Handle | None, username: str
    ) -> IssuedToken:
        """Return a new token for a session, valid for `lifetime` seconds from now.

        Raises:
            SigningKeyMissing: the ring has no active key.
        """
        signing = self.ring().signing
        if signing is None:
            raise SigningKeyMissing("platform")
        now = int(self.clock())
        issued_at, expires_at = now - BACKDATED, now + int(self.lifetime)
        claims = {
            "iss": self.issuer,
            "sub": did,
            "aud": self.audience,
            "iat": issued_at,
            "nbf": issued_at,
            "exp": expires_at,
            "jti": secrets.token_urlsafe(16),
            "sid": sid,
            "handle": handle,
            "username": username,
        }
        token = signing.sign(claims, headers={"kid": signing.kid, "typ": TYP})
        return IssuedToken(token, issued_at=issued_at, expires_at=expires_at)
