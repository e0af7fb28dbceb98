"""Verify client assertions (RFC 7523): the JWT by which a client with keys signs in.

A key verifies with the algorithms of its kind alone, and a client's keys are public:
a JWK set with a private or symmetric key is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

from .errors import TokenInvalid

ALGORITHMS: Final[Mapping[str, str]] = {
    "ES256": "EC",
    "PS256": "RSA",
    "RS256": "RSA",
    "EdDSA": "OKP",
}
"""Each algorithm that is taken, and the kind of its keys."""

LONGEST_LIFE: Final = 300
"""Seconds from now to `exp`, at most."""

LEEWAY: Final = 30
"""Seconds by which a client's clock may differ."""

MOST_KEYS: Final = 20
MOST_JTI: Final = 256
RSA_BITS: Final = 2048

_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_JWS = jwt.PyJWS()

Jwk = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """What a verified assertion says."""

    jti: str
    expires_at: float


def parse_jwks(document: object) -> tuple[Jwk, ...]:
    """Return the keys of a JWK set that assertions can be verified with.

    Raises:
        ValueError: no JWK set, a private or symmetric key, too many, or none of use.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_KEYS:
        raise ValueError(f"a JWK set has 1 to {MOST_KEYS} keys")
    keys = tuple(key for key in listed if isinstance(key, dict) and _is_usable(key))
    if not keys:
        raise ValueError("no key for " + ", ".join(ALGORITHMS))
    return keys


def claimed_issuer(assertion: str) -> str:
    """Return `iss`, which names the client; nothing is verified yet.

    Raises:
        TokenInvalid: it cannot be read.
    """
    try:
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.PyJWTError as error:
        raise TokenInvalid("no JWT") from error
    issuer = claims.get("iss")
    if not isinstance(issuer, str):
        raise TokenInvalid("no iss")
    return issuer


def claimed_key(assertion: str) -> str | None:
    """Return the `kid` of the header, if there is one. Raises `TokenInvalid`."""
    try:
        kid = jwt.get_unverified_header(assertion).get("kid")
    except jwt.PyJWTError as error:
        raise TokenInvalid("no JWT header") from error
    return kid if isinstance(kid, str) else None


def verify_assertion(
    assertion: str, keys: tuple[Jwk, ...], *, client_id: str, audience: str, now: float
) -> Assertion:
    """Return what an assertion of a client says (RFC 7523 section 3).

    `aud` is one string, the issuer; `iss` and `sub` are the client_id.

    Raises:
        TokenInvalid: it was not signed by one of the keys, or its claims are wrong.
    """
    claims = _opened(assertion, keys)
    if (claims.get("iss"), claims.get("sub")) != (client_id, client_id):
        raise TokenInvalid("iss and sub are not the client")
    if claims.get("aud") != audience:
        raise TokenInvalid("aud is not the issuer alone")
    expires_at = _time(claims, "exp")
    if expires_at is None or not now < expires_at <= now + LONGEST_LIFE + LEEWAY:
        raise TokenInvalid("exp is missing, over or too late")
    for name in ("iat", "nbf"):
        if (_time(claims, name) or 0) > now + LEEWAY:
            raise TokenInvalid(f"{name} is in the future")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 1 <= len(jti) <= MOST_JTI:
        raise TokenInvalid("no jti")
    return Assertion(jti=jti, expires_at=float(expires_at))


def _opened(assertion: str, keys: tuple[Jwk, ...]) -> dict[str, Any]:
    try:
        header = jwt.get_unverified_header(assertion)
    except jwt.PyJWTError as error:
        raise TokenInvalid("no JWT header") from error
    alg, kid = str(header.get("alg")), header.get("kid")
    if alg not in ALGORITHMS:
        raise TokenInvalid("another algorithm")
    for key in keys:
        is_named = kid is None or key.get("kid") in (None, kid)
        if is_named and _signs_with(key, alg):
            claims = _verified(assertion, key, alg)
            if claims is not None:
                return claims
    raise TokenInvalid("no key of the client verifies it")


def _verified(assertion: str, key: Jwk, alg: str) -> dict[str, Any] | None:
    try:
        payload = _JWS.decode(assertion, jwt.PyJWK(dict(key), alg), algorithms=[alg])
        claims = json.loads(payload)
    except (jwt.PyJWTError, ValueError):
        return None
    return claims if isinstance(claims, dict) else None


def _signs_with(key: Jwk, alg: str) -> bool:
    return (key["kty"], key.get("alg", alg)) == (ALGORITHMS[alg], alg)


def _is_usable(key: Jwk) -> bool:
    if _PRIVATE & key.keys() or key.get("kty") == "oct":
        raise ValueError("a private or symmetric key; give the public ones alone")
    algorithms = [alg for alg, kty in ALGORITHMS.items() if kty == key.get("kty")]
    if not algorithms or key.get("use", "sig") != "sig":
        return False
    try:
        native = jwt.PyJWK(dict(key), algorithms[0]).key
    except jwt.PyJWTError as error:
        raise ValueError("a key cannot be read") from error
    curve = getattr(getattr(native, "curve", None), "name", "secp256r1")
    return curve == "secp256r1" and getattr(native, "key_size", 256) >= _least(key)


def _least(key: Jwk) -> int:
    return RSA_BITS if key["kty"] == "RSA" else 0


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value: float | None = claims.get(name)
    # type(), because a bool is an int. An int of any length can be compared.
    if value is not None and type(value) not in {int, float}:
        raise TokenInvalid(f"{name} is no time")
    return value
