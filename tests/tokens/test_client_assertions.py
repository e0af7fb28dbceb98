"""Client assertions: signature, algorithm, audience, times and claims (RFC 7523)."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from app.tokens.client_assertions import (
    LEEWAY,
    LONGEST_LIFE,
    claimed_issuer,
    parse_jwks,
    verify_assertion,
)
from app.tokens.errors import TokenInvalid
from tests.fakes.clock import NOON
from tests.fakes.keys import rsa_key

ISSUER = "https://auth.platform.cafe"
RSA = rsa_key()
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
KEYS = {"RS256": RSA, "PS256": RSA, "ES256": EC, "EdDSA": ED}
SHORT = rsa_key("short")
NOW = int(NOON)


def public(key: Any, **members: Any) -> dict[str, Any]:
    kinds = {
        rsa.RSAPublicKey: RSAAlgorithm,
        ec.EllipticCurvePublicKey: ECAlgorithm,
        ed25519.Ed25519PublicKey: OKPAlgorithm,
    }
    native = key.public_key()
    [algorithm] = [kinds[kind] for kind in kinds if isinstance(native, kind)]
    return {**algorithm.to_jwk(native, as_dict=True), **members}


ALL = parse_jwks({"keys": [public(RSA, kid="r"), public(EC, kid="e"), public(ED)]})


def signed(
    alg: str = "ES256", headers: Any = None, key: Any = None, **changes: Any
) -> str:
    claims = {
        "iss": "app",
        "sub": "app",
        "aud": ISSUER,
        "jti": "one",
        "iat": NOW,
        "exp": NOW + 60,
        **changes,
    }
    left = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(left, key or KEYS[alg], algorithm=alg, headers=headers)


def verifies(assertion: str, keys: Any = ALL) -> Any:
    return verify_assertion(assertion, keys, client_id="app", audience=ISSUER, now=NOON)


@pytest.mark.parametrize("alg", KEYS)
def test_assertion_of_each_algorithm_verifies(alg: str) -> None:
    assertion = signed(alg)

    assert claimed_issuer(assertion) == "app"
    assert verifies(assertion).jti == "one"


def test_key_id_picks_the_key() -> None:
    assert verifies(signed(headers={"kid": "e"})).expires_at == NOW + 60
    with pytest.raises(TokenInvalid):
        verifies(signed(headers={"kid": "r"}))


def test_key_whose_id_is_no_text_is_passed_over() -> None:
    assert verifies(signed(headers={"kid": "e"}), ({**ALL[0], "kid": []}, *ALL))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "other"},
        {"sub": "other"},
        {"sub": None},
        {"aud": f"{ISSUER}/"},
        {"aud": f"{ISSUER}/oauth/token"},
        {"aud": [ISSUER]},
        {"aud": [ISSUER, "https://other.example"]},
        {"aud": None},
        {"exp": None},
        {"exp": NOW},
        {"exp": NOW + LONGEST_LIFE + LEEWAY + 1},
        {"exp": True},
        {"exp": 10**400},
        {"iat": 10**400},
        {"iat": NOW + LEEWAY + 1},
        {"nbf": NOW + LEEWAY + 1},
        {"jti": None},
        {"jti": ""},
        {"jti": "x" * 257},
        {"jti": 5},
    ],
)
def test_assertion_with_a_wrong_claim_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid):
        verifies(signed(**changes))


def test_assertion_of_another_key_or_algorithm_is_refused() -> None:
    stranger = ec.generate_private_key(ec.SECP256R1())
    for assertion in (
        signed(key=stranger),
        jwt.encode({"iss": "app"}, "", algorithm="none"),
        jwt.encode({"iss": "app"}, bytes(32), algorithm="HS256"),
        signed("RS256").replace(".", "", 1),
        "a.b.c",
        "",
    ):
        with pytest.raises(TokenInvalid):
            verifies(assertion)
    only = parse_jwks({"keys": [public(RSA, alg="PS256")]})
    assert verifies(signed("PS256"), only).jti == "one"
    with pytest.raises(TokenInvalid):
        verifies(signed("RS256"), only)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"keys": []},
        {"keys": ["x"]},
        {"keys": [{"kty": "oct", "k": "AAAA"}]},
        {"keys": [{**public(EC), "d": "AAAA"}]},
        {"keys": [public(EC, use="enc")]},
        {"keys": [{"kty": "EC", "crv": "P-256"}]},
        {"keys": [public(ec.generate_private_key(ec.SECP384R1()))]},
        {"keys": [public(SHORT)]},
        {"keys": [public(EC)] * 21},
    ],
)
def test_set_without_usable_public_keys_is_refused(document: object) -> None:
    with pytest.raises(ValueError, match=r"key"):
        parse_jwks(document)
