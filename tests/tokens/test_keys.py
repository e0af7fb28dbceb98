from __future__ import annotations

import base64
import hashlib
import json

import pytest

from app.tokens.errors import TokenInvalid
from app.tokens.keys import KeyRing, SharedSecret
from tests.tokens.rings import SECRET, key, ring_of


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_the_jwks_publishes_public_parts_with_use_alg_and_kid(alg):
    (jwk,) = ring_of(key(alg)).jwks()["keys"]

    public = {"RS256": {"n", "e"}, "ES256": {"crv", "x", "y"}, "EdDSA": {"crv", "x"}}
    assert set(jwk) == {"kty", "use", "alg", "kid"} | public[alg]
    assert (jwk["use"], jwk["alg"], jwk["kid"]) == ("sig", alg, key(alg).thumbprint)


def test_the_jwks_publishes_every_key_of_the_ring():
    ring = ring_of(key("ES256", "active"), key("ES256", "next"), key("RS256"))

    assert [jwk["kid"] for jwk in ring.jwks()["keys"]] == [
        key("ES256", "active").kid,
        key("ES256", "next").kid,
        key("RS256").kid,
    ]


def test_a_ring_always_publishes_the_key_it_signs_with():
    ring = KeyRing.of(key("ES256"), (key("ES256", "other"),))

    assert ring.published == (key("ES256"), key("ES256", "other"))


def test_a_key_that_is_not_in_the_ring_verifies_nothing():
    with pytest.raises(TokenInvalid, match="not in the ring"):
        ring_of(key("ES256")).verifying("another-kid")


def test_the_key_id_of_a_shared_secret_is_its_thumbprint():
    k = base64.urlsafe_b64encode(SECRET).rstrip(b"=").decode()
    jwk = json.dumps({"k": k, "kty": "oct"}, separators=(",", ":")).encode()
    digest = base64.urlsafe_b64encode(hashlib.sha256(jwk).digest()).rstrip(b"=")

    assert SharedSecret.of(SECRET).kid == digest.decode()


def test_neither_a_ring_nor_a_secret_shows_its_private_part():
    shown = repr(KeyRing.of_secret(SECRET)) + repr(SharedSecret.of(SECRET))

    assert repr(SECRET) not in shown
    assert SharedSecret.of(SECRET).jwk()["k"] not in shown
