from __future__ import annotations

import base64
import hashlib
import hmac
import json

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from app.tokens.errors import TokenInvalid
from app.tokens.verifier import MAX_LENGTH
from tests.fakes.clock import FakeClock
from tests.tokens.forgery import ES, assembled, claims_at, part, signed
from tests.tokens.rings import ALICE, issue, issuer_of, key, ring_of, verifier_of


def test_a_token_of_a_key_that_left_the_ring_is_invalid(clock, verifier):
    token = issue(issuer_of(ring_of(key("ES256", "gone")), clock))

    with pytest.raises(TokenInvalid, match="not in the ring"):
        verifier.verify(token)


def test_foreign_signature_under_our_key_id_is_invalid(clock, verifier):
    stranger = key("ES256", "stranger")
    token = stranger.sign(claims_at(clock), headers={"kid": ES.kid, "typ": "JWT"})

    with pytest.raises(TokenInvalid, match="signature"):
        verifier.verify(token)


def test_a_changed_claim_is_invalid(clock, verifier):
    head, _, signature = signed(claims_at(clock)).split(".")
    forged = part(claims_at(clock, sub="did:plc:mallory")).decode()

    with pytest.raises(TokenInvalid, match="signature"):
        verifier.verify(f"{head}.{forged}.{signature}")


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", ""])
def test_token_with_alg_none_is_invalid(clock, verifier, alg):
    header = {"alg": alg, "kid": ES.kid, "typ": "JWT"}

    with pytest.raises(TokenInvalid):
        verifier.verify(assembled(header, claims_at(clock)))


def test_a_token_without_alg_is_invalid(clock, verifier):
    header = {"kid": ES.kid, "typ": "JWT"}

    with pytest.raises(TokenInvalid):
        verifier.verify(assembled(header, claims_at(clock)))


def public_forms():
    """Return every form in which a library might take a public key for a secret."""
    native = jwt.PyJWK(key("RS256").public_jwk()).key
    jwk = key("RS256").public_jwk()
    return {
        "pem": native.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "pkcs1": native.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        "der": native.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "jwk": json.dumps(jwk).encode(),
        "modulus": base64.urlsafe_b64decode(jwk["n"] + "=="),
        "empty": b"",
    }


@pytest.mark.parametrize("form", ["pem", "pkcs1", "der", "jwk", "modulus", "empty"])
def test_the_public_key_is_no_hmac_secret(clock, form):
    header = {"alg": "HS256", "kid": key("RS256").kid, "typ": "JWT"}
    signing_input = part(header) + b"." + part(claims_at(clock))
    mac = hmac.digest(public_forms()[form], signing_input, hashlib.sha256)
    token = (signing_input + b"." + part(mac)).decode()

    with pytest.raises(TokenInvalid):
        verifier_of(ring_of(key("RS256")), clock).verify(token)


@pytest.mark.parametrize("alg", ["RS384", "RS512", "PS256"])
def test_another_algorithm_of_the_same_key_is_invalid(clock, alg):
    signing = key("RS256")
    private = jwt.PyJWK(signing.private_jwk()).key
    token = jwt.encode(
        claims_at(clock), private, algorithm=alg, headers={"kid": signing.kid}
    )

    with pytest.raises(TokenInvalid, match="signature"):
        verifier_of(ring_of(signing), clock).verify(token)


@pytest.mark.parametrize("alg", ["none", "HS256", "ES384", None])
def test_a_header_that_names_another_algorithm_than_the_signature_is_invalid(
    clock, verifier, alg
):
    native = jwt.PyJWK(ES.private_jwk())
    header = {"alg": alg, "kid": ES.kid, "typ": "JWT"}
    signing_input = part(header) + b"." + part(claims_at(clock))
    signature = native.Algorithm.sign(signing_input, native.key)
    token = (signing_input + b"." + part(signature)).decode()

    with pytest.raises(TokenInvalid, match="algorithm"):
        verifier.verify(token)


def test_a_key_in_the_header_is_not_used(clock, verifier):
    stranger = key("ES256", "stranger")
    token = stranger.sign(
        claims_at(clock),
        headers={"kid": ES.kid, "typ": "JWT", "jwk": stranger.bare_jwk()},
    )

    with pytest.raises(TokenInvalid, match="signature"):
        verifier.verify(token)


def test_a_critical_extension_that_we_do_not_know_is_invalid(clock, verifier):
    with pytest.raises(TokenInvalid):
        verifier.verify(signed(claims_at(clock), crit=["exp"]))


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "not-a-token",
        "a.b",
        "a.b.c.d",
        "\N{SNOWMAN}.b.c",
        "a.\ud800.c",
        "x" * (MAX_LENGTH + 1),
        assembled([], {}),
        assembled("header", {}),
        assembled(b"\xff", {}),
        assembled({}, {}),
        assembled({"kid": 7}, {}),
        assembled({"kid": None}, {}),
        assembled(b"[" * 5_000, {}),
        assembled(b'{"kid":' * 700, {}),
    ],
)
def test_malformed_token_is_invalid(verifier, token):
    with pytest.raises(TokenInvalid):
        verifier.verify(token)


@given(st.text())
def test_any_text_verifies_or_raises_token_error(text):
    with pytest.raises(TokenInvalid):
        verifier_of(ring_of(ES), FakeClock()).verify(text)


@given(st.lists(st.binary(max_size=30), min_size=3, max_size=3))
def test_any_three_parts_verify_or_raise_token_error(parts):
    token = b".".join(part(value) for value in parts).decode()

    with pytest.raises(TokenInvalid):
        verifier_of(ring_of(ES), FakeClock()).verify(token)


def test_a_long_token_is_read_and_one_that_is_too_long_is_not(clock, verifier):
    long = signed(claims_at(clock, x="x" * 5_000))
    too_long = signed(claims_at(clock, x="x" * 7_000))

    assert len(long) < MAX_LENGTH < len(too_long)
    assert verifier.verify(long).did == ALICE
    with pytest.raises(TokenInvalid, match="form"):
        verifier.verify(too_long)


@pytest.mark.parametrize("rest", ["\ud800.c", "\N{SNOWMAN}.c", "a.\ud800", "a", ""])
def test_a_good_header_before_something_else_is_invalid(clock, verifier, rest):
    header = signed(claims_at(clock)).partition(".")[0]

    with pytest.raises(TokenInvalid):
        verifier.verify(f"{header}.{rest}")


@pytest.mark.parametrize("typ", ["at+jwt", "revocations+jwt", "jwt", "", None])
def test_token_with_another_typ_is_invalid(clock, verifier, typ):
    token = signed(claims_at(clock), typ=typ)

    with pytest.raises(TokenInvalid, match="another purpose"):
        verifier.verify(token)
