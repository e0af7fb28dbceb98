"""Tokens that the issuer would never issue, some of them signed with its own key."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt

from tests.tokens.rings import ALICE, AUDIENCE, ISSUER, key

ES = key("ES256")


def claims_at(clock, **changes: Any) -> dict[str, Any]:
    now = int(clock())
    claims = {
        "iss": ISSUER,
        "sub": ALICE,
        "aud": AUDIENCE,
        "iat": now,
        "nbf": now,
        "exp": now + 60,
        "jti": "jti-1",
        "sid": "sid-1",
        "handle": "alice.test",
        "username": "alice",
    }
    return {**claims, **changes}


def signed(claims: Any, **headers: Any) -> str:
    """Sign with the ring's own key what the issuer would never issue."""
    return ES.sign(claims, headers={"kid": ES.kid, "typ": "JWT", **headers})


def signed_as_is(payload: bytes) -> str:
    """Sign what PyJWT itself would refuse to write."""
    private = jwt.PyJWK(ES.private_jwk()).key
    headers = {"kid": ES.kid, "typ": "JWT"}
    return jwt.PyJWS().encode(payload, private, algorithm="ES256", headers=headers)


def part(value: Any) -> bytes:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def assembled(header: Any, claims: Any, signature: bytes = b"") -> str:
    return b".".join([part(header), part(claims), part(signature)]).decode()
