"""Issue the id_token (OpenID Connect Core section 2), signed with RS256.

It is for one client and has no `typ` header, so that it never passes for the platform
token, whose `typ` is `JWT` (RFC 8725 section 3.11).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from app.atproto.crypto.encoding import base64url
from app.flows.provider.grants.records import LivingGrant
from app.tokens.errors import SigningKeyMissing
from app.tokens.keys import KeyRing


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueIdToken:
    """Signs with the active RS256 key of the platform ring."""

    ring: Callable[[], KeyRing]
    issuer: str
    lifetime: float
    clock: Callable[[], float]

    def __call__(
        self,
        living: LivingGrant,
        claims: Mapping[str, Any],
        *,
        access_token: str,
        nonce: str | None,
    ) -> str:
        """Return a new id_token; `claims` are those of userinfo, with `sub`.

        `sid` is that of the grant. `auth_time` stays through refreshes, which send no
        nonce (OpenID Connect Core section 12.2).

        Raises:
            SigningKeyMissing: the ring has no active RS256 key.
        """
        signing = self.ring().signing
        if signing is None:
            raise SigningKeyMissing("platform")
        grant, now = living.grant, int(self.clock())
        is_lean = living.client.registration.is_id_token_lean
        content = {
            **({} if is_lean else claims),
            "iss": self.issuer,
            "sub": claims["sub"],
            "aud": grant.client_id,
            "iat": now,
            "exp": now + int(self.lifetime),
            "auth_time": int(grant.auth_time),
            "at_hash": at_hash(access_token),
            "sid": grant.grant_id,
        }
        if nonce is not None:
            content["nonce"] = nonce
        return signing.sign(content, headers={"kid": signing.kid, "typ": None})


def at_hash(access_token: str) -> str:
    """Return the left half of SHA-256 (OpenID Connect Core section 3.1.3.6)."""
    return base64url(sha256(access_token.encode("ascii")).digest()[:16])
