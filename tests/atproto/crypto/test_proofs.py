"""DPoP proofs, client assertions and PKCE (requirements 4.4, 4.11 to 4.14, 5.2 to
5.6).
"""

from __future__ import annotations

import base64
import json
import re
from string import ascii_letters, digits
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey

from app.atproto.crypto.keys import SigningKey
from app.atproto.crypto.proofs import (
    build_client_assertion,
    build_dpop_proof,
    challenge_of,
    create_verifier,
    target_uri,
)

KEY = SigningKey.generate("ES256")
NOW = 1_790_000_000.75
CLIENT_ID = "https://app.platform.cafe/oauth-client-metadata.json"


def proof(**changed: Any) -> str:
    given: dict[str, Any] = {
        "method": "POST",
        "url": "https://as.skyhost.social/oauth/par",
        "now": NOW,
    }
    return build_dpop_proof(KEY, **{**given, **changed})


def assertion(**changed: Any) -> str:
    given: dict[str, Any] = {
        "client_id": CLIENT_ID,
        "issuer": "https://as.skyhost.social",
        "now": NOW,
    }
    return build_client_assertion(KEY, **{**given, **changed})


def claims(token: str) -> dict[str, Any]:
    """Verify with joserfc what PyJWT signed, and return the claims."""
    public = ECKey.import_key(KEY.bare_jwk())
    claims: dict[str, Any] = json.loads(
        jws.deserialize_compact(token, public, algorithms=["ES256"]).payload
    )
    return claims


def test_a_proof_carries_its_own_bare_key() -> None:
    """Requirement 5.2: and no kid, nor anything else."""
    header = jwt.get_unverified_header(proof())

    assert header == {"typ": "dpop+jwt", "alg": "ES256", "jwk": KEY.bare_jwk()}
    assert set(header["jwk"]) == {"kty", "crv", "x", "y"}


def test_first_proof_has_the_claims_of_rfc_9449() -> None:
    """Requirements 5.3, 5.6: §4.2 of it, these claims and no other."""
    said = claims(
        proof(
            url="https://server.example.com/token",
            now=1562262616.2,
            jti="-BwC3ESc6acc2lTc",
        )
    )

    assert said == {
        "jti": "-BwC3ESc6acc2lTc",
        "htm": "POST",
        "htu": "https://server.example.com/token",
        "iat": 1562262616,
    }


def test_a_proof_for_a_resource_carries_the_hash_of_the_token() -> None:
    """Requirement 5.5: §7.1 of RFC 9449."""
    said = claims(
        proof(
            method="GET",
            url="https://resource.example.org/protectedresource",
            now=1562262618.9,
            access_token="Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU",
            jti="e1j3V_bKic8-LAEB",
        )
    )

    assert said == {
        "jti": "e1j3V_bKic8-LAEB",
        "htm": "GET",
        "htu": "https://resource.example.org/protectedresource",
        "iat": 1562262618,
        "ath": "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo",
    }


def test_the_method_is_in_capitals() -> None:
    assert claims(proof(method="post"))["htm"] == "POST"


def test_proof_has_the_nonce_if_one_is_given() -> None:
    assert claims(proof(nonce="eyJ7S_zG.eyJH0-Z.HX4w-7v"))["nonce"] == (
        "eyJ7S_zG.eyJH0-Z.HX4w-7v"
    )
    assert "nonce" not in claims(proof())


def test_no_two_proofs_are_alike() -> None:
    """Requirement 5.3: at least 96 random bits; a proof is never sent twice."""
    names = [claims(proof())["jti"] for _ in range(50)]

    assert len(set(names)) == 50
    assert all(len(base64.urlsafe_b64decode(name + "==")) >= 12 for name in names)


@pytest.mark.parametrize(
    ("url", "htu"),
    [
        ("https://as.social/par", "https://as.social/par"),
        ("https://as.social/par?x=1#f", "https://as.social/par"),
        ("https://as.social/par?", "https://as.social/par"),
        ("HTTPS://AS.Social/Par", "https://as.social/Par"),
        ("https://as.social:443/par", "https://as.social/par"),
        ("https://as.social:8443/par", "https://as.social:8443/par"),
        ("http://localhost:80/par", "http://localhost/par"),
        ("http://localhost:443/par", "http://localhost:443/par"),
        ("http://[::1]:2583/par", "http://[::1]:2583/par"),
        ("https://as.social", "https://as.social/"),
        ("https://as.social?x=1", "https://as.social/"),
        ("https://as.social/a%2Fb/../c/", "https://as.social/a%2Fb/../c/"),
        ("https://as.social//par", "https://as.social//par"),
    ],
)
def test_the_target_is_the_url_without_query_and_fragment(url: str, htu: str) -> None:
    """Requirement 5.4."""
    assert target_uri(url) == htu
    assert claims(proof(url=url))["htu"] == htu


def test_assertion_names_client_and_issuer() -> None:
    """Requirements 4.11, 4.12: backdated, because servers allow `iat` no second in
    their future.
    """
    token = assertion(jti="J1")

    assert jwt.get_unverified_header(token) == {
        "alg": "ES256",
        "kid": KEY.kid,
        "typ": "JWT",
    }
    assert claims(token) == {
        "iss": CLIENT_ID,
        "sub": CLIENT_ID,
        "aud": "https://as.skyhost.social",
        "jti": "J1",
        "iat": 1_789_999_975,
        "exp": 1_790_000_035,
    }


@pytest.mark.parametrize("ahead", [0.0, 2.0, 24.9, -34.0])
def test_assertion_iat_is_in_the_past(
    ahead: float,
) -> None:
    """Requirement 4.12: as the reference server judges, which allows for no
    difference.
    """
    said = claims(assertion(now=NOW + ahead))

    assert 0 <= NOW - said["iat"] <= 60
    assert said["exp"] > NOW


def test_no_two_assertions_are_alike() -> None:
    """Requirement 4.13."""
    assert len({claims(assertion())["jti"] for _ in range(50)}) == 50


def test_the_challenge_is_that_of_rfc_7636() -> None:
    """Requirement 4.4: appendix B."""
    assert challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == (
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


def test_a_verifier_is_fresh_and_well_formed() -> None:
    verifiers = {create_verifier() for _ in range(50)}

    assert len(verifiers) == 50
    assert all(re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", one) for one in verifiers)


@given(st.text(ascii_letters + digits + "-._~", min_size=43, max_size=128))
def test_a_challenge_is_a_hash_in_base64url_without_padding(verifier: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", challenge_of(verifier))
