from __future__ import annotations

import json
from dataclasses import replace

import jwt
import pytest

from app.atproto.crypto.encoding import sha256_hex
from app.atproto.stores.memory import MemoryCache
from app.tokens.errors import TokenExpired, TokenInvalid
from app.tokens.keys import KeyRing
from app.tokens.verifier import VerifiedClaims
from tests.tokens.forgery import ES, claims_at, signed, signed_as_is
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


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_verify_returns_the_claims_of_an_issued_token(clock, alg):
    ring = ring_of(key(alg))
    token = issue(issuer_of(ring, clock))

    claims = verifier_of(ring, clock).verify(token)

    assert claims == VerifiedClaims(
        did=ALICE,
        sid="sid-1",
        handle="alice.test",
        username="alice",
        issued_at=int(clock()) - 30,
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


def test_token_at_its_exp_is_token_expired(clock, verifier):
    token = signed(claims_at(clock, exp=int(clock()) + 60))
    clock.advance(59)

    assert verifier.verify(token).did == ALICE

    clock.advance(1)

    with pytest.raises(TokenExpired):
        verifier.verify(token)


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_iat_or_nbf_more_than_30_s_ahead_is_token_invalid(clock, verifier, claim):
    near = signed(claims_at(clock, **{claim: int(clock()) + 30}))
    far = signed(claims_at(clock, **{claim: int(clock()) + 31}))

    assert verifier.verify(near).did == ALICE
    with pytest.raises(TokenInvalid, match="future"):
        verifier.verify(far)


# --- tokens that were verified before


def test_a_token_is_read_once_and_its_exp_checked_each_time(clock):
    cache = MemoryCache(clock)
    verifier = verifier_of(ring_of(ES), clock, seen=cache)
    token = signed(claims_at(clock))
    clock.advance(59)

    assert verifier.verify(token) is verifier.verify(token)

    clock.advance(1)

    with pytest.raises(TokenExpired):
        verifier.verify(token)


def test_a_token_seen_before_is_refused_once_its_key_is_dropped(clock):
    rings = [ring_of(ES), ring_of(key("ES256", "next"))]
    verifier = replace(
        verifier_of(rings[0], clock, seen=MemoryCache(clock)), ring=lambda: rings[0]
    )
    token = signed(claims_at(clock))
    verifier.verify(token)

    del rings[0]

    with pytest.raises(TokenInvalid):
        verifier.verify(token)


def test_a_token_that_is_refused_is_not_remembered(clock):
    cache = MemoryCache(clock)
    verifier = verifier_of(ring_of(ES), clock, seen=cache)
    token = signed(claims_at(clock, aud="elsewhere"))

    for _ in range(2):
        with pytest.raises(TokenInvalid):
            verifier.verify(token)
    assert cache.get(sha256_hex(token)) is None


@pytest.mark.parametrize("segment", [0, 1, 2])
@pytest.mark.parametrize("change", ["{}=", "{}==", "{}\n", " {}", "{}+", "{}!"])
def test_a_segment_in_another_form_of_base64_is_invalid(
    verifier, clock, segment, change
):
    parts = signed(claims_at(clock)).split(".")
    parts[segment] = change.format(parts[segment])

    with pytest.raises(TokenInvalid):
        verifier.verify(".".join(parts))
