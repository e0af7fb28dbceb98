"""One table for the verifiers of all languages: what they refuse, and what they accept.

Forged and foreign tokens, tokens of the service of a form that it never writes, request
headers, and keys of a JWKS that are no keys for tokens.
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.fakes.keys import rsa_key
from tests.verify.service import HOUR

if TYPE_CHECKING:
    from tests.verify.service import FakeService

FOREIGN = rsa_key("stranger")
WEAK = rsa_key("short")
HEADERS = {"kid": "first", "typ": "JWT"}


def base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def encoded(part: object) -> str:
    return base64url(part if isinstance(part, bytes) else json.dumps(part).encode())


def signed(key: rsa.RSAPrivateKey, text: str) -> str:
    """Sign any header and claims, also those that no library writes."""
    signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{text}.{base64url(signature)}"


def of_service(service: FakeService, header: object, claims: object) -> str:
    """Return a token with the service's signature; bytes stay as they are."""
    return signed(service.published["first"], f"{encoded(header)}.{encoded(claims)}")


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


def unusable_keys() -> list[Any]:
    """Return what a JWKS may hold beside its keys, and is ignored.

    RFC 7517 section 5: what is not understood, is missing or out of range.
    """
    numbers = jwt.algorithms.RSAAlgorithm.to_jwk(FOREIGN.public_key(), as_dict=True)
    foreign = {"alg": "RS256", "use": "sig", **numbers}
    private = jwt.algorithms.RSAAlgorithm.to_jwk(FOREIGN, as_dict=True)
    weak = jwt.algorithms.RSAAlgorithm.to_jwk(WEAK.public_key(), as_dict=True)
    return [
        {**weak, "kid": "weak"},
        {**private, "kid": "private"},
        {**foreign, "kid": "unreadable", "n": "!"},
        {**foreign, "kid": "modulus 1", "n": "AQ"},
        {**foreign, "kid": "exponent 2", "e": "Ag"},
        {**foreign, "kid": "numeric modulus", "n": 5},
        {"kty": "RSA", "kid": "no modulus", "e": "AQAB"},
        {**foreign, "kid": "numeric alg", "alg": 5},
        {**foreign, "kid": "listed type", "kty": ["RSA"]},
        {**foreign, "kid": "encryption", "use": "enc"},
        {**foreign, "kid": "PS256", "alg": "PS256"},
        {"kty": "oct", "kid": "secret", "k": "AAAA"},
        {**foreign, "kid": 5},
        None,
        [],
    ]


def attacks(service: FakeService) -> dict[str, tuple[str, str]]:
    """Return token and the word that begins the refusal, by the name of the attack."""
    evil = "https://evil.example/keys"
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(FOREIGN.public_key()))
    now = int(service.clock.now)
    header, claims = {"alg": "RS256", **HEADERS}, service.claims()
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
        "key of a JWKS that is too short": (
            signed(WEAK, f"{encoded({**header, 'kid': 'weak'})}.{encoded(claims)}"),
            "kid",
        ),
        "private key of a JWKS": (with_foreign_key(service, "private"), "kid"),
        **{
            f"key id {kid!r}": (
                of_service(service, {**header, "kid": kid}, claims),
                "kid",
            )
            for kid in ("", "FIRST", "first ", "__proto__", "constructor", "a\r\nb", 5)
        },
        **{
            f"header {name} is null": (
                of_service(service, {**header, name: None}, claims),
                name,
            )
            for name in ("jku", "jwk", "x5u", "x5c", "crit", "b64")
        },
        "unknown extension": (
            of_service(service, {**header, "crit": ["a\nb"]}, claims),
            "crit",
        ),
        "payload that is not encoded": (
            of_service(service, {**header, "b64": False}, claims),
            "b64",
        ),
        **not_base64url(service),
        **not_json(service),
        **wrong_claims(service),
    }


def not_base64url(service: FakeService) -> dict[str, tuple[str, str]]:
    """Return other ways to write a good token (RFC 7515 section 2, no padding)."""
    good = of_service(service, {"alg": "RS256", **HEADERS}, service.claims())
    header, claims, signature = good.split(".")
    key = service.published["first"]
    return {
        name: (token, "form")
        for name, token in {
            "padding": f"{good}{'=' * (-len(signature) % 4)}",
            "signed padding": signed(key, f"{header}=.{claims}"),
            "unused bits": f"{good[:-1]}{chr(ord(good[-1]) + 1)}",
            "alphabet of base64": f"{header}.{claims}.+/{signature[2:]}",
            "space behind": f"{good} ",
            "space before": f" {good}",
            "space in the signature": good.replace(signature, f" {signature}"),
            "tab in the signature": good.replace(signature, f"\t{signature}"),
            "return in the signature": f"{good}\r",
            "signed space": signed(key, f"{header}.{claims[:8]} {claims[8:]}"),
            "a fourth part": f"{good}.x",
            "two parts": f"{header}.{claims}",
            "five parts": "a.b.c.d.e",
            "no ASCII": f"\u00fc{good}",
            "8193 characters": good + "A" * (8_193 - len(good)),
        }.items()
    }


def not_json(service: FakeService) -> dict[str, tuple[str, str]]:
    """Return header and claims that parsers of JSON read differently, or not at all."""
    header, claims = {"alg": "RS256", **HEADERS}, service.claims()
    raw_header, raw_claims = json.dumps(header).encode(), json.dumps(claims).encode()
    others = {
        "a byte order mark": lambda raw: b"\xef\xbb\xbf" + raw,
        "UTF-16": lambda raw: raw.decode().encode("utf-16-le"),
        "no UTF-8": lambda raw: raw[:-1] + b', "x": "\xff"}',
        "NaN": lambda raw: raw[:-1] + b', "x": NaN}',
        "a second object": lambda raw: raw + raw,
        "an array": lambda raw: b"[" + raw + b"]",
        "null": lambda _: b"null",
        "a text": lambda _: b'"x"',
    }
    table = {}
    for name, changed in others.items():
        as_header = of_service(service, changed(raw_header), claims)
        as_claims = of_service(service, header, changed(raw_claims))
        table[f"header: {name}"] = (as_header, "form")
        table[f"claims: {name}"] = (as_claims, "claims")
    return table


def with_claim(service: FakeService, name: str, text: str) -> str:
    """Return a token of the service with one claim written as this text."""
    others = json.dumps({k: v for k, v in service.claims().items() if k != name})
    claims = f'{others[:-1]}, "{name}": {text}}}'.encode()
    return of_service(service, {"alg": "RS256", **HEADERS}, claims)


def wrong_claims(service: FakeService) -> dict[str, tuple[str, str]]:
    """Return tokens of the service whose claims are of another type or range."""
    soon, issuer = int(service.clock.now) + HOUR, service.issuer
    numbers = {"a text": f'"{soon}"', "a fraction": f"{soon}.5", "2 ** 53": str(2**53)}
    numbers |= {"2 ** 63": str(2**63), "30 digits": "1" + "0" * 30}
    numbers |= {text: text for text in ("true", "null", "[1]", "{}", "1e300", "1e400")}
    texts = {text: text for text in ("null", "5", "true", "[]", "{}", '""', '["x"]')}
    handles = {text: text for text in ("5", "false", "[]", "{}")}
    lists = {"a list": f'["{issuer}"]', "a slash behind": f'"{issuer}/"'}
    table = {}
    for names, values in (
        (("iat", "nbf", "exp"), numbers),
        (("sub", "sid", "username"), texts),
        (("iss", "aud"), texts | lists),
        (("handle",), handles),
    ):
        for name in names:
            for told, text in values.items():
                word = "times" if values is numbers else name
                table[f"{name}: {told}"] = (with_claim(service, name, text), word)
    own = {k: v for k, v in service.claims().items() if k != "sub"}
    other_case = of_service(
        service, {"alg": "RS256", **HEADERS}, {**own, "Sub": "did:plc:alice"}
    )
    return table | {"name in another case": (other_case, "sub")}


def accepted(service: FakeService) -> dict[str, str]:
    """Return tokens that all verifiers accept, by what is unusual in them."""
    header, claims = {"alg": "RS256", **HEADERS}, service.claims()
    now = int(service.clock.now)
    others = {"sub": "did:plc:bob", "Sub": "did:plc:bob", "EXP": 1}
    without_nbf = {name: value for name, value in claims.items() if name != "nbf"}
    return {
        "nothing": of_service(service, header, claims),
        "no nbf": of_service(service, header, without_nbf),
        "no handle": of_service(service, header, {**claims, "handle": None}),
        "exp 1.0": with_claim(service, "exp", f"{now + HOUR}.0"),
        "iat as an exponent": with_claim(service, "iat", "1e0"),
        "latest exp": with_claim(service, "exp", str(2**53 - 1)),
        "other headers": of_service(service, {**header, "x5t": "a", "zip": 5}, claims),
        "other claims": of_service(service, header, {**claims, "jti": 5, "keys": 5}),
        "names in another case": of_service(service, header, {**others, **claims}),
        "space around": of_service(service, header, b" " + json.dumps(claims).encode()),
        "the last of two claims": of_service(
            service, header, b'{"sub": "x", ' + json.dumps(claims).encode()[1:]
        ),
    }


def headers(token: str) -> dict[str, tuple[str, str, str]]:
    """Return Authorization and Cookie of a request, and the outcome in all languages.

    That is the username, or the word that begins the refusal ("" for no token).
    """
    good, bad = f"platform_token={token}", "platform_token=x"
    return {
        "a cookie": ("", good, "alice"),
        "a quoted cookie": ("", f'platform_token="{token}"', "alice"),
        "the second cookie": ("", f"{bad};a=b;\t{good} ", "alice"),
        "the eighth cookie": ("", "; ".join([bad] * 7 + [good]), "alice"),
        "the ninth cookie": ("", "; ".join([bad] * 8 + [good]), "form"),
        "another name": ("", f"xplatform_token={token}; Platform_token={token}", ""),
        "a name in a value": ("", f"a=platform_token={token}", ""),
        "a long header": ("", f"{'a=b; ' * 3_000}{good}", "alice"),
        "a Bearer token": (f"bEARER   {token} ", "", "alice"),
        "a bad Bearer token beside a cookie": ("Bearer x", good, "form"),
        "Bearer without a token beside a cookie": ("Bearer", good, "form"),
        "two Bearer tokens": (f"Bearer {token}, Bearer {token}", good, "form"),
        "another scheme beside a cookie": ("Basic eDp5", good, "alice"),
        "a scheme that begins like Bearer": (f"Bearers {token}", "", ""),
        "a tab behind the scheme": (f"Bearer\t{token}", good, "alice"),
    }
