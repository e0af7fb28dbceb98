"""The service's public keys (JWKS), by key id."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import jwt

from .fetch import Fetch

Keys = Mapping[str, jwt.PyJWK]

KEY_TYPES: Final = {
    "RS256": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""`kty` and `crv` of the keys of each algorithm."""

MIN_RSA_BITS: Final = 2_048
"""RFC 7518 section 3.3."""

MAX_KEYS: Final = 32
"""Keys of a JWKS that are read."""


def load_keys(fetch: Fetch, issuer: str, algorithm: str) -> Keys:
    """Fetch the JWKS; return the keys that sign with this algorithm.

    Raises:
        OSError: it cannot be fetched.
        ValueError: it is no JWKS, or holds no such key.
    """
    document = json.loads(fetch(f"{issuer}/.well-known/jwks.json"))
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("the JWKS has no list of keys")  # noqa: TRY004 # the document
    keys = {
        each["kid"]: key
        for each in listed[:MAX_KEYS]
        if _signs_with(each, algorithm) and (key := _parse(each, algorithm))
    }
    if not keys:
        msg = f"the JWKS has no key for {algorithm}"
        raise ValueError(msg)
    return keys


def _signs_with(key: Any, algorithm: str) -> bool:
    return (
        isinstance(key, dict)
        and isinstance(key.get("kid"), str)
        and (key.get("kty"), key.get("crv")) == KEY_TYPES[algorithm]
        and key.get("alg", algorithm) == algorithm
        and key.get("use", "sig") == "sig"
        and "d" not in key  # a private key
    )


def _parse(key: Mapping[str, Any], algorithm: str) -> jwt.PyJWK | None:
    """Return the key; None for one to ignore (RFC 7517 section 5)."""
    try:
        parsed = jwt.PyJWK(dict(key), algorithm)
    except (jwt.PyJWTError, TypeError, ValueError):
        return None
    if algorithm == "RS256" and parsed.key.key_size < MIN_RSA_BITS:
        return None
    return parsed
