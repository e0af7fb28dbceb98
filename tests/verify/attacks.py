"""Forged and foreign tokens, which the verifiers of each language have to refuse."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives import serialization

from tests.fakes.keys import rsa_key

if TYPE_CHECKING:
    from tests.verify.service import FakeService

FOREIGN = rsa_key("stranger")
HEADERS = {"kid": "first", "typ": "JWT"}


def encoded(part: object) -> str:
    return urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def hs256_with_the_public_key(service: FakeService) -> str:
    """Sign by hand, because PyJWT refuses to sign with a public key."""
    secret = (
        service.published["first"]
        .public_key()
        .public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    header = {"alg": "HS256", **HEADERS}
    signed = f"{encoded(header)}.{encoded(service.claims())}"
    mac = hmac.digest(secret, signed.encode(), "sha256")
    return f"{signed}.{urlsafe_b64encode(mac).decode().rstrip('=')}"


def with_foreign_key(service: FakeService, kid: str, **headers: Any) -> str:
    return jwt.encode(
        service.claims(),
        FOREIGN,
        algorithm="RS256",
        headers={**HEADERS, "kid": kid, **headers},
    )


def attacks(service: FakeService) -> dict[str, tuple[str, str]]:
    """Return token and the word that begins the refusal, by the name of the attack."""
    evil = "https://evil.example/keys"
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(FOREIGN.public_key()))
    now = int(service.clock.now)
    unsigned = jwt.encode(service.claims(), None, algorithm="none", headers=HEADERS)
    return {
        "alg none": (unsigned, "alg"),
        "HS256 with the public key": (hs256_with_the_public_key(service), "alg"),
        "jku": (with_foreign_key(service, "first", jku=evil), "jku"),
        "x5u": (with_foreign_key(service, "first", x5u=evil), "x5u"),
        "jwk": (with_foreign_key(service, "first", jwk=jwk), "jwk"),
        "foreign ring": (with_foreign_key(service, "stranger"), "kid"),
        "foreign key of our id": (with_foreign_key(service, "first"), "signature"),
        "typ of the feed": (service.token(typ="revocations+jwt"), "typ"),
        "id_token of an app": (service.token(typ="", aud="app"), "typ"),
        "typ at+jwt": (service.token(typ="at+jwt"), "typ"),
        "other issuer": (service.token(iss="https://auth.example.com"), "iss"),
        "other audience": (service.token(aud="https://b.example.org"), "aud"),
        "expired": (service.token(exp=now - 60), "exp"),
        "of the future": (service.token(nbf=now + 120), "nbf"),
        "ended session": (service.token(sid="ended"), "sid"),
        "garbage": ("a.b.c", "form"),
        "deeply nested header": (f"{'W1tb' * 1_000}.e30.AA", "form"),
        "nothing": ("", "form"),
    }
