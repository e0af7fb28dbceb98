"""Issue the platform token: who a person is, for every service of the platform.

It carries no ATProto token and is not stored: the session that its `sid` names is what
can be ended.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from app.atproto.syntax.grammar import Did, Handle

from .errors import SigningKeyMissing
from .keys import TYP, KeyRing


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenIssuer:
    """Signs with the ring's active key, whichever it is at that moment."""

    ring: Callable[[], KeyRing]
    issuer: str
    audience: str
    lifetime: float
    clock: Callable[[], float]

    def issue(self, *, did: Did, sid: str, handle: Handle | None, username: str) -> str:
        """Return a new token for a session.

        Raises:
            SigningKeyMissing: there is no key to sign with.
        """
        signing = self.ring().signing
        if signing is None:
            raise SigningKeyMissing("platform")
        now = int(self.clock())
        claims = {
            "iss": self.issuer,
            "sub": did,
            "aud": self.audience,
            "iat": now,
            "nbf": now,
            "exp": now + int(self.lifetime),
            "jti": secrets.token_urlsafe(16),
            "sid": sid,
            "handle": handle,
            "username": username,
        }
        headers = {"kid": signing.kid, "typ": TYP}
        return signing.sign(claims, headers=headers)
