"""What a client proves itself with: DPoP proofs, client assertions, PKCE.

Pure builders (RFC 9449, RFC 7523, RFC 7636): the time is passed in, and so may be the
`jti`. Nothing here is ever built twice alike: servers remember what they saw, and every
HTTP attempt gets a proof and an assertion of its own (requirements 4.13 and 5.3).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from ..syntax.grammar import DEFAULT_PORTS
from .encoding import sha256_base64url

if TYPE_CHECKING:
    from .keys import SigningKey

ASSERTION_LIFETIME: Final = 60
"""Seconds until an assertion expires: the reference server takes none older (4.12)."""

ASSERTION_BACKDATING: Final = 5
"""Seconds by which `iat` lies in the past: the same server takes none from its future,
not by a second, and no two clocks agree that well (requirement 4.12)."""


def build_dpop_proof(
    key: SigningKey,
    *,
    method: str,
    url: str,
    now: float,
    nonce: str | None = None,
    access_token: str | None = None,
    jti: str | None = None,
) -> str:
    """Return a DPoP proof for one HTTP attempt (RFC 9449 §4.2, 5.2 to 5.6).

    `access_token` is for resource servers alone: authorization servers refuse a proof
    that carries its hash.
    """
    claims: dict[str, Any] = {
        "jti": jti or _unique(),
        "htm": method.upper(),
        "htu": target_uri(url),
        "iat": int(now),
    }
    if nonce is not None:
        claims["nonce"] = nonce
    if access_token is not None:
        claims["ath"] = sha256_base64url(access_token)
    return key.sign(claims, headers={"typ": "dpop+jwt", "jwk": key.bare_jwk()})


def build_client_assertion(
    key: SigningKey, *, client_id: str, issuer: str, now: float, jti: str | None = None
) -> str:
    """Return a client assertion for one HTTP attempt (RFC 7523 §3, requirement 4.11).

    The audience is the issuer whatever the endpoint: servers accept nothing else.
    """
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": issuer,
        "jti": jti or _unique(),
        "iat": int(now) - ASSERTION_BACKDATING,
        "exp": int(now) + ASSERTION_LIFETIME - ASSERTION_BACKDATING,
    }
    return key.sign(claims, headers={"kid": key.kid})


def create_verifier() -> str:
    """Return a fresh PKCE verifier of 256 random bits (RFC 7636 §4.1)."""
    return secrets.token_urlsafe(32)


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge; the method `plain` does not exist here (4.4)."""
    challenge: str = create_s256_code_challenge(verifier)
    return challenge


def target_uri(url: str) -> str:
    """Return a request's URL as `htu` has it (requirement 5.4).

    Without query and fragment, scheme and host in lower case, no default port, the path
    as it is sent.
    """
    parts = urlsplit(url)
    host = parts.netloc.lower()
    host = host.removesuffix(f":{DEFAULT_PORTS[parts.scheme]}")
    return urlunsplit((parts.scheme, host, parts.path or "/", "", ""))


def _unique() -> str:
    return secrets.token_urlsafe(16)
