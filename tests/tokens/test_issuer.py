from __future__ import annotations

import jwt
import pytest

from app.atproto.crypto.keys import SigningKey
from app.tokens.errors import SigningKeyMissing
from app.tokens.issuer import TokenIssuer
from app.tokens.keys import KeyRing
from tests.tokens.rings import AUDIENCE, ISSUER, SECRET, issue, issuer_of, key, ring_of

# The clock of these tests stands still, PyJWT's own does not.
TIMELESS = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
UNVERIFIED = {"verify_signature": False}


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_a_service_verifies_the_token_offline_with_the_published_key(clock, alg):
    signing = key(alg)
    token = issue(issuer_of(ring_of(signing), clock))

    (published,) = ring_of(signing).jwks()["keys"]
    claims = jwt.decode(
        token,
        jwt.PyJWK(published),
        algorithms=[alg],
        audience=AUDIENCE,
        issuer=ISSUER,
        options=TIMELESS,
    )

    assert claims["sub"] == "did:plc:aliceaaaaaaaaaaaaaaaaaaa"


def test_issued_token_has_these_claims(clock):
    token = issue(issuer_of(ring_of(key()), clock))

    claims = jwt.decode(token, options=UNVERIFIED)
    jti = claims.pop("jti")
    now = int(clock())
    assert claims == {
        "iss": ISSUER,
        "sub": "did:plc:aliceaaaaaaaaaaaaaaaaaaa",
        "aud": AUDIENCE,
        "iat": now - 30,
        "nbf": now - 30,
        "exp": now + 86_400,
        "sid": "sid-1",
        "handle": "alice.test",
        "username": "alice",
    }
    assert len(jti) >= 22


def test_issued_token_without_a_handle_has_null(clock):
    token = issue(issuer_of(ring_of(key()), clock), handle=None)

    assert jwt.decode(token, options=UNVERIFIED)["handle"] is None


def test_the_header_names_the_key_by_its_thumbprint_and_the_type(clock):
    token = issue(issuer_of(ring_of(key()), clock))

    assert jwt.get_unverified_header(token) == {
        "alg": "RS256",
        "kid": key().thumbprint,
        "typ": "JWT",
    }


def test_the_header_names_an_imported_key_as_its_jwk_does(clock):
    named = SigningKey.generate("ES256", kid="2026-summer")

    token = issue(issuer_of(ring_of(named), clock))

    assert jwt.get_unverified_header(token)["kid"] == "2026-summer"


def test_each_token_has_its_own_jti(clock):
    issuer = issuer_of(ring_of(key("ES256")), clock)

    assert len({issue(issuer) for _ in range(20)}) == 20


def test_times_are_whole_seconds(clock):
    clock.advance(0.75)
    token = issue(issuer_of(ring_of(key("ES256")), clock))

    claims = jwt.decode(token, options=UNVERIFIED)
    assert {type(claims[name]) for name in ("iat", "nbf", "exp")} == {int}
    assert claims["iat"] <= clock()


def test_an_hs256_token_verifies_with_the_secret_and_nothing_is_published(clock):
    ring = KeyRing.of_secret(SECRET)
    token = issue(issuer_of(ring, clock))

    claims = jwt.decode(
        token,
        SECRET,
        algorithms=["HS256"],
        audience=AUDIENCE,
        options=TIMELESS,
    )

    assert claims["username"] == "alice"
    assert ring.jwks() == {"keys": []}


def test_the_issuer_signs_with_the_key_that_is_active_at_that_moment(clock):
    rings = [
        ring_of(key("ES256", "new"), key("ES256", "old")),
        ring_of(key("ES256", "old")),
    ]
    issuer = TokenIssuer(
        ring=lambda: rings[-1],
        issuer=ISSUER,
        audience=AUDIENCE,
        lifetime=60,
        clock=clock,
    )
    before = jwt.get_unverified_header(issue(issuer))["kid"]
    rings.pop()
    after = jwt.get_unverified_header(issue(issuer))["kid"]

    assert [before, after] == [key("ES256", "old").kid, key("ES256", "new").kid]


def test_issue_without_an_active_key_raises_signing_key_missing(clock):
    with pytest.raises(SigningKeyMissing, match="flask --app wsgi init"):
        issue(issuer_of(KeyRing.of(None, ()), clock))


@pytest.mark.parametrize("behind", [0, 30])
def test_fresh_token_passes_a_verifier_without_leeway_whose_clock_is_behind(
    clock, behind
):
    token = issue(issuer_of(ring_of(key()), clock))

    claims = jwt.decode(token, options=UNVERIFIED)
    assert max(claims["iat"], claims["nbf"]) <= clock() - behind
