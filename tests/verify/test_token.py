"""Which tokens `latchkey_verify` accepts and refuses, and with which error."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from latchkey_verify import (
    KeysUnavailable,
    Person,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    Verifier,
)
from tests.fakes.keys import rsa_key
from tests.verify.service import HOUR, ISSUER, FakeService

FOREIGN = rsa_key("stranger")


def encoded(part: object) -> str:
    return urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def refusal(service: FakeService, token: str) -> str:
    with pytest.raises(TokenInvalid) as refused:
        service.verifier().verify(token)
    return str(refused.value)


def test_verify_with_a_token_of_the_service_returns_the_person(service):
    now = int(service.clock.now)

    assert service.verifier().verify(service.token()) == Person(
        did="did:plc:alice",
        username="alice",
        handle="alice.example.com",
        sid="session-1",
        issued_at=now - 30,
        expires_at=now + HOUR,
    )


@pytest.mark.parametrize("seconds", [-29, 29])
def test_verify_with_clocks_29_seconds_apart_accepts(service, seconds):
    token = service.token(exp=int(service.clock.now) + 1, nbf=int(service.clock.now))
    verifier = service.verifier()
    service.clock.advance(seconds)

    assert verifier.verify(token).username == "alice"


def test_verify_more_than_the_leeway_after_exp_raises_expired(service):
    token = service.token()
    service.clock.advance(HOUR + 30)

    with pytest.raises(TokenExpired):
        service.verifier().verify(token)


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_verify_with_a_time_in_the_future_raises_invalid(service, claim):
    token = service.token(**{claim: int(service.clock.now) + 31})

    assert "future" in refusal(service, token)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"iss": "https://auth.example.com"}, "iss"),
        ({"iss": f"{ISSUER}/"}, "iss"),
        ({"aud": "https://other.example.org"}, "aud"),
        ({"aud": [ISSUER]}, "aud"),
        ({"sub": None}, "sub"),
        ({"sid": 5}, "sid"),
        ({"username": None}, "username"),
        ({"handle": 7}, "handle"),
        ({"exp": "soon"}, "times"),
        ({"iat": True}, "times"),
        ({"exp": 1e300}, "times"),
    ],
)
def test_verify_with_a_wrong_claim_names_the_claim(service, changes, named):
    token = service.sign(service.claims(**changes), typ="JWT", kid="first")

    assert refusal(service, token).startswith(named)


@pytest.mark.parametrize("typ", ["revocations+jwt", "at+jwt", "jwt", None])
def test_verify_with_another_typ_raises_invalid(service, typ):
    assert refusal(service, service.token(typ=typ)).startswith("typ")


@pytest.mark.parametrize("name", ["jku", "jwk", "x5u", "x5c", "crit"])
def test_verify_with_a_header_that_brings_a_key_raises_invalid(service, name):
    value = ["exp"] if name == "crit" else "https://evil.example/keys"
    token = service.sign(service.claims(), typ="JWT", kid="first", **{name: value})

    assert refusal(service, token).startswith(name)


def test_verify_without_signature_raises_invalid(service):
    token = jwt.encode(
        service.claims(), None, algorithm="none", headers={"kid": "first"}
    )

    assert refusal(service, token).startswith("alg")


def test_verify_with_hs256_and_the_public_key_raises_invalid(service):
    public = service.published["first"].public_key()
    secret = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    # By hand, because PyJWT refuses to sign with a public key.
    header = {"alg": "HS256", "kid": "first", "typ": "JWT"}
    signed = f"{encoded(header)}.{encoded(service.claims())}"
    mac = hmac.digest(secret, signed.encode(), "sha256")
    token = f"{signed}.{urlsafe_b64encode(mac).decode().rstrip('=')}"

    assert refusal(service, token).startswith("alg")


def test_verify_with_a_foreign_key_under_our_key_id_raises_invalid(service):
    headers = {"kid": "first", "typ": "JWT"}
    token = jwt.encode(service.claims(), FOREIGN, algorithm="RS256", headers=headers)

    assert refusal(service, token).startswith("signature")


@pytest.mark.parametrize("change", [{"use": "enc"}, {"alg": "PS256"}, {"kty": "EC"}])
def test_verify_ignores_keys_for_another_use(service, change):
    first = service.jwks()["keys"][0] | change
    service.jwks = lambda: {"keys": [first]}

    with pytest.raises(KeysUnavailable):
        service.verifier().verify(service.token())


def test_verify_ignores_keys_of_another_curve(service):
    other = ec.generate_private_key(ec.SECP384R1()).public_key()
    algorithm = jwt.algorithms.ECAlgorithm(hashes.SHA384)
    jwk = algorithm.to_jwk(other, as_dict=True) | {"kid": "first"}
    service.jwks = lambda: {"keys": [jwk]}
    header = {"alg": "ES256", "typ": "JWT", "kid": "first"}

    with pytest.raises(KeysUnavailable):
        service.verifier(algorithm="ES256").verify(f"{encoded(header)}.e30.AA")


def test_verify_reads_thirty_two_keys_of_a_jwks(service):
    [first] = service.jwks()["keys"]
    service.unusable = [{**first, "kid": f"other-{n}"} for n in range(32)]

    assert refusal(service, service.token()).startswith("kid")


@pytest.mark.parametrize("part", [0, 1, 2])
def test_verify_with_one_changed_bit_raises_invalid(service, part):
    parts = service.token().split(".")
    raw = bytearray(urlsafe_b64decode(parts[part] + "=="))
    raw[len(raw) // 2] ^= 1
    parts[part] = urlsafe_b64encode(bytes(raw)).decode().rstrip("=")

    refusal(service, ".".join(parts))


@pytest.mark.parametrize(
    "garbage",
    ["", ".", "..", "a.b.c", "\u00fc.\u00fc.\u00fc", "e30.e30.", "x" * 100_000, "\x00"]
    + [f"{encoded(h)}.e30.AAAA" for h in ([], 5, {"alg": "RS256", "kid": 5})],
)
def test_verify_with_garbage_raises_invalid(service, garbage):
    refusal(service, garbage)


@pytest.mark.parametrize("value", [None, b"a.b.c", 5])
def test_verify_with_what_is_no_text_raises_invalid(service, value):
    assert refusal(service, value).startswith("form")


def test_authenticate_without_token_raises_missing(service):
    with pytest.raises(TokenMissing):
        service.verifier().authenticate(authorization="Basic eDp5", cookies="a=b")


def test_authenticate_with_several_cookies_takes_the_first_good_one(service):
    token = service.token()
    cookies = f"platform_token=garbage; other=1; platform_token={token}"

    assert service.verifier().authenticate(cookies=cookies).username == "alice"


def test_authenticate_tries_at_most_eight_cookies(service):
    cookies = "; ".join(
        ["platform_token=x"] * 8 + [f"platform_token={service.token()}"]
    )

    with pytest.raises(TokenInvalid):
        service.verifier().authenticate(cookies=cookies)


def test_authenticate_with_a_bad_bearer_does_not_fall_back_to_the_cookie(service):
    verifier = service.verifier()

    with pytest.raises(TokenInvalid):
        verifier.authenticate(
            authorization="Bearer x", cookies=f"platform_token={service.token()}"
        )
    assert verifier.authenticate(authorization=f"bearer  {service.token()}")


@pytest.mark.parametrize(
    "issuer",
    [
        "http://auth.example.org",
        "https://auth.example.org/",
        "https://AUTH.example.org",
        "https://auth.example.org:443",
        "https://auth.example.org:0",
        "https://user@auth.example.org",
        "https://auth.example.org ",
        "https://auth.example.org?",
        "http://localhost@example.org",
        "http://localhost:80",
        "auth.example.org",
        "https://",
        "",
    ],
)
def test_verifier_with_an_issuer_that_is_no_https_origin_raises(issuer):
    with pytest.raises(ValueError, match="https://HOST"):
        Verifier(issuer)


@pytest.mark.parametrize(
    "issuer",
    [
        ISSUER,
        f"{ISSUER}:8443",
        "http://127.0.0.1:8000",
        "http://[::1]:1",
        "http://localhost",
    ],
)
def test_verifier_with_an_origin_as_the_service_writes_it_is_made(issuer):
    assert Verifier(issuer).issuer == issuer


def test_verifier_with_hs256_raises():
    with pytest.raises(ValueError, match="RS256"):
        Verifier(ISSUER, algorithm="HS256")


def test_login_url_leads_back():
    url = Verifier(ISSUER).login_url("https://app.example.org/a?b=c&d")

    assert url == (
        f"{ISSUER}/auth/login?return_to=https%3A%2F%2Fapp.example.org%2Fa%3Fb%3Dc%26d"
    )
