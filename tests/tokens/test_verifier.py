from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from app.tokens.errors import TokenExpired, TokenInvalid
from app.tokens.keys import KeyRing
from app.tokens.verifier import MAX_LENGTH, VerifiedClaims
from tests.fakes.clock import FakeClock
from tests.tokens.rings import (
    ALICE,
    AUDIENCE,
    ISSUER,
    SECRET,
    issue,
    issuer_of,
    key,
    ring_of,
    verifier_of,
)

ES = key("ES256")


@pytest.fixture
def verifier(clock):
    return verifier_of(ring_of(ES), clock)


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


# --- what passes --------------------------------------------------------------------


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_a_token_we_issued_names_who_it_was_issued_for(clock, alg):
    ring = ring_of(key(alg))
    token = issue(issuer_of(ring, clock))

    claims = verifier_of(ring, clock).verify(token)

    assert claims == VerifiedClaims(
        did=ALICE,
        sid="sid-1",
        handle="alice.test",
        username="alice",
        issued_at=int(clock()),
        expires_at=int(clock()) + 86_400,
        jti=jwt.decode(token, options={"verify_signature": False})["jti"],
    )


def test_a_token_without_a_handle_passes(clock, verifier):
    token = issue(issuer_of(ring_of(ES), clock), handle=None)

    assert verifier.verify(token).handle is None


def test_an_hs256_token_passes_where_the_platform_uses_hs256(clock):
    ring = KeyRing.of_secret(SECRET)

    claims = verifier_of(ring, clock).verify(issue(issuer_of(ring, clock)))

    assert claims.username == "alice"


def test_a_token_of_a_retired_key_passes_while_the_key_is_published(clock):
    token = issue(issuer_of(ring_of(key("ES256", "old")), clock))
    rotated = ring_of(key("ES256", "new"), key("ES256", "old"))

    assert verifier_of(rotated, clock).verify(token).did == ALICE


def test_tokens_of_two_algorithms_pass_while_both_keys_are_published(clock):
    old = issue(issuer_of(ring_of(key("RS256")), clock))
    both = ring_of(ES, key("RS256"))

    assert verifier_of(both, clock).verify(old).did == ALICE


# --- signatures ---------------------------------------------------------------------


def test_a_token_of_a_key_that_left_the_ring_is_invalid(clock, verifier):
    token = issue(issuer_of(ring_of(key("ES256", "gone")), clock))

    with pytest.raises(TokenInvalid, match="not in the ring"):
        verifier.verify(token)


def test_a_strangers_signature_under_our_key_id_is_invalid(clock, verifier):
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
def test_a_token_that_asks_not_to_be_checked_is_invalid(clock, verifier, alg):
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


# --- form ---------------------------------------------------------------------------


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
def test_what_has_not_the_form_of_a_token_is_invalid(verifier, token):
    with pytest.raises(TokenInvalid):
        verifier.verify(token)


@given(st.text())
def test_no_text_makes_the_verifier_fail_in_another_way(text):
    with pytest.raises(TokenInvalid):
        verifier_of(ring_of(ES), FakeClock()).verify(text)


@given(st.lists(st.binary(max_size=30), min_size=3, max_size=3))
def test_no_three_parts_make_the_verifier_fail_in_another_way(parts):
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
def test_what_we_signed_for_another_purpose_is_no_token(clock, verifier, typ):
    token = signed(claims_at(clock), typ=typ)

    with pytest.raises(TokenInvalid, match="another purpose"):
        verifier.verify(token)


# --- claims -------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b'"text"', b"\xff", b"{"])
def test_a_payload_that_is_no_set_of_claims_is_invalid(verifier, payload):
    with pytest.raises(TokenInvalid, match="payload"):
        verifier.verify(signed_as_is(payload))


@pytest.mark.parametrize("claim", sorted(claims_at(lambda: 0.0)))
def test_a_token_that_lacks_a_claim_is_invalid(clock, verifier, claim):
    claims = claims_at(clock)
    del claims[claim]

    with pytest.raises(TokenInvalid, match=claim):
        verifier.verify(signed(claims))


@pytest.mark.parametrize("value", [7, 1.5, True, None, [], {}])
@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "jti", "sid", "username"])
def test_a_claim_that_should_be_text_and_is_not_is_invalid(
    clock, verifier, claim, value
):
    with pytest.raises(TokenInvalid, match=claim):
        verifier.verify(
            signed_as_is(json.dumps(claims_at(clock, **{claim: value})).encode())
        )


@pytest.mark.parametrize("value", ["7", 1e12, True, None, [], {}])
@pytest.mark.parametrize("claim", ["iat", "nbf", "exp"])
def test_a_time_that_is_no_whole_number_is_invalid(clock, verifier, claim, value):
    with pytest.raises(TokenInvalid, match=claim):
        verifier.verify(
            signed_as_is(json.dumps(claims_at(clock, **{claim: value})).encode())
        )


@pytest.mark.parametrize("value", [7, True, [], {}])
def test_a_handle_that_is_no_text_is_invalid(clock, verifier, value):
    with pytest.raises(TokenInvalid, match="handle"):
        verifier.verify(signed(claims_at(clock, handle=value)))


@pytest.mark.parametrize("issuer", ["https://auth.other.test", f"{ISSUER}/", ""])
def test_a_token_of_another_issuer_is_invalid(clock, verifier, issuer):
    with pytest.raises(TokenInvalid, match="issuer"):
        verifier.verify(signed(claims_at(clock, iss=issuer)))


@pytest.mark.parametrize("audience", ["https://other.test", f"{AUDIENCE}/", ""])
def test_a_token_for_another_audience_is_invalid(clock, verifier, audience):
    with pytest.raises(TokenInvalid, match="audience"):
        verifier.verify(signed(claims_at(clock, aud=audience)))


# --- times --------------------------------------------------------------------------


def test_a_token_is_over_at_its_expiry_and_not_before(clock, verifier):
    token = signed(claims_at(clock, exp=int(clock()) + 60))
    clock.advance(59)

    assert verifier.verify(token).did == ALICE

    clock.advance(1)

    with pytest.raises(TokenExpired):
        verifier.verify(token)


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_a_clock_that_is_a_little_ahead_is_forgiven_and_more_is_not(
    clock, verifier, claim
):
    near = signed(claims_at(clock, **{claim: int(clock()) + 5}))
    far = signed(claims_at(clock, **{claim: int(clock()) + 6}))

    assert verifier.verify(near).did == ALICE
    with pytest.raises(TokenInvalid, match="future"):
        verifier.verify(far)
