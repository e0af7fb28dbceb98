"""Issue the platform token (JWT), which tells a service who a person is.

It carries no AT Protocol token and is not stored; its `sid` names the session, which
can be ended.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.atproto.syntax.grammar import Did, Handle

from .errors import SigningKeyMissing
from .keys import TYP, KeyRing

BACKDATED: Final = 30
"""Seconds by which `iat` and `nbf` are in the past. A service whose clock is behind
ours would otherwise refuse a fresh token and redirect its visitor to us, in a loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenIssuer:
    """Signs with the active key of the ring."""

    ring: Callable[[], KeyRing]
    issuer: str
    audience: str
    lifetime: float
    clock: Callable[[], float]

    def issue(self, *, did: Did, sid: str, handle: Handle | None, username: str) -> str:
        """Return a new token for a session, valid for `lifetime` seconds from now.

        Raises:
            SigningKeyMissing: the ring has no active key.
        """
        signing = self.ring().signing
        if signing is None:
            raise SigningKeyMissing("platform")
        now = int(self.clock())
        claims = {
            "iss": self.issuer,
            "sub": did,
            "aud": self.audience,
            "iat": now - BACKDATED,
            "nbf": now - BACKDATED,
            "exp": now + int(self.lifetime),
            "jti": secrets.token_urlsafe(16),
            "sid": sid,
            "handle": handle,
            "username": username,
        }
        headers = {"kid": signing.kid, "typ": TYP}
        return signing.sign(claims, headers=headers)
