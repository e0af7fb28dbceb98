"""The token endpoint of the reference PDS, asked without the service.

Proofs and assertions are made here from RFC 9449 and RFC 7523, not with the service's
code: what this says about a grant is what anybody with its secrets would see.
"""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Any

import jwt
import requests

from app.atproto.crypto.keys import SigningKey
from app.atproto.records import OAuthSession
from tests.lab.processes import session as http_session

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def refresh(
    grant: OAuthSession, *, client_key: SigningKey | None, ca: Path | None
) -> requests.Response:
    """Try to refresh; `client_key` for a confidential client."""

    def ask(nonce: str | None) -> requests.Response:
        return http.post(
            grant.token_endpoint,
            data=_form(grant, client_key),
            headers={"DPoP": _proof(grant, nonce)},
            timeout=60,
        )

    with http_session(ca) as http:
        return ask(nonce=ask(nonce=None).headers["DPoP-Nonce"])


def _form(grant: OAuthSession, client_key: SigningKey | None) -> dict[str, str]:
    form = {
        "grant_type": "refresh_token",
        "refresh_token": grant.refresh_token or "",
        "client_id": grant.client_id,
    }
    if client_key is not None:
        form["client_assertion_type"] = ASSERTION_TYPE
        form["client_assertion"] = _assertion(grant, client_key)
    return form


def _assertion(grant: OAuthSession, client_key: SigningKey) -> str:
    now = int(time.time()) - 5
    claims = {
        "iss": grant.client_id,
        "sub": grant.client_id,
        "aud": grant.issuer,
        "jti": secrets.token_hex(16),
        "iat": now,
        "exp": now + 60,
    }
    return _sign(claims, client_key.private_jwk(), {"kid": client_key.kid})


def _proof(grant: OAuthSession, nonce: str | None) -> str:
    private = grant.dpop_key.private_jwk()
    public = {name: private[name] for name in ("kty", "crv", "x", "y")}
    claims: dict[str, Any] = {
        "jti": secrets.token_hex(16),
        "htm": "POST",
        "htu": grant.token_endpoint,
        "iat": int(time.time()),
    }
    if nonce:
        claims["nonce"] = nonce
    return _sign(claims, private, {"typ": "dpop+jwt", "jwk": public})


def _sign(claims: dict[str, Any], jwk: Any, headers: dict[str, Any]) -> str:
    key = jwt.PyJWK(dict(jwk), algorithm="ES256").key
    return jwt.encode(claims, key, algorithm="ES256", headers=headers)
