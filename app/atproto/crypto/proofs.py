"""Builders of DPoP proofs, client assertions and PKCE (RFC 9449, RFC 7523, RFC 7636).

Pure: the time is a parameter, and the `jti` may be one. Every HTTP attempt needs a new
proof and a new assertion, because servers refuse a repeated `jti` (requirements 4.13
and 5.3).
"""

from __future__ import annotations

import secrets
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from ..syntax.grammar import DEFAULT_PORTS
from .encoding import sha256_base64url
from .keys import SigningKey

ASSERTION_LIFETIME: Final = 60
"""Seconds until an assertion expires; the reference server accepts no older one
(requirement 4.12)."""

ASSERTION_BACKDATING: Final = 25
"""Seconds by which `iat` is in the past: the reference server refuses an `iat` in its
future (requirement 4.12). A clock may be 25 seconds ahead of it, or 35 behind."""


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
    """Return a DPoP proof for one HTTP attempt (RFC 9449 section 4.2).

    See requirements 5.2 to 5.6. `access_token` is for resource servers only:
    authorization servers refuse a proof with its hash.
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
    """Return a client assertion for one HTTP attempt (RFC 7523 section 3).

    The audience is the issuer for every endpoint (requirement 4.11).
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
    """Return a fresh PKCE verifier of 256 random bits (RFC 7636 section 4.1)."""
    return secrets.token_urlsafe(32)


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge; `plain` is not supported (requirement 4.4)."""
    challenge: str = create_s256_code_challenge(verifier)
    return challenge


def target_uri(url: str) -> str:
    """Return a request's URL as `htu` has it (requirement 5.4).

    Without query, fragment and default port; scheme and host in lower case; the path
    as it is sent.
    """
    parts = urlsplit(url)
    host = parts.netloc.lower()
    host = host.removesuffix(f":{DEFAULT_PORTS[parts.scheme]}")
    return urlunsplit((parts.scheme, host, parts.path or "/", "", ""))


def _unique() -> str:
    return secrets.token_urlsafe(16)
