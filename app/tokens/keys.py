"""The key ring of the platform token: one key signs, all published keys verify.

A ring is a snapshot and does not change; `app.flows.keys.rings` replaces it. The JOSE
code of this package is here. A key verifies with its own algorithm only, so a token
cannot choose its algorithm (RFC 8725 section 3.1).
"""

from __future__ import annotations

import json
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, Protocol, Self

import jwt

from app.atproto.crypto.encoding import base64url, sha256_base64url
from app.atproto.crypto.keys import SigningKey
from app.atproto.syntax.foreign_json import parse_json

from .errors import TokenInvalid

TYP: Final = "JWT"
"""Header `typ`. Not `at+jwt`, because RFC 9068 requires a `client_id`, which our logins
do not have. Anything else that a platform key signs has another `typ`."""

MOST_HEADERS: Final = 64
"""Parsed headers that a process remembers; each key of ours signs under one."""

UNREAD: Final = frozenset({"crit", "b64"})
"""Header parameters that change how a JWS is read (RFC 7515 section 4.1.11)."""


FROM_URL: Final = bytes.maketrans(b"-_", b"+/")
TO_URL: Final = bytes.maketrans(b"+/", b"-_")


class Signer(Protocol):
    """What signs: a private key, or a shared secret (HS256)."""

    @property
    def kid(self) -> str:
        """The key id for the JWS header."""

    @property
    def alg(self) -> str:
        """The algorithm."""

    def sign(
        self, claims: Mapping[str, Any], *, headers: Mapping[str, Any] | None = None
    ) -> str:
        """Return a compact JWS over the claims."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSecret:
    """The HS256 secret of a platform with one service; it is not published."""

    kid: str
    _secret: bytes = field(repr=False)
    alg: str = "HS256"

    @classmethod
    def of(cls, secret: bytes) -> Self:
        """Name the secret by its RFC 7638 thumbprint.

        The thumbprint reveals no more than a signature does: both can be compared with
        guesses, and the settings refuse secrets that can be guessed.
        """
        jwk = json.dumps({"k": base64url(secret), "kty": "oct"}, separators=(",", ":"))
        kid = sha256_base64url(jwk)
        return cls(kid=kid, _secret=secret)

    def jwk(self) -> dict[str, str]:
        """Return the secret as a JWK, to verify with."""
        return {"kty": "oct", "k": base64url(self._secret), "alg": self.alg}

    def sign(
        self, claims: Mapping[str, Any], *, headers: Mapping[str, Any] | None = None
    ) -> str:
        """Return a compact JWS over the claims."""
        return jwt.encode(
            dict(claims), self._secret, algorithm=self.alg, headers=dict(headers or {})
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyingKey:
    """A parsed key that verifies signatures of one algorithm."""

    kid: str
    _native: jwt.PyJWK = field(repr=False)

    def open(self, token: str) -> tuple[Mapping[str, Any], bytes]:
        """Return header and payload of a token that this key signed.

        Not by PyJWT's `decode`, which takes three times as long as the signature.

        Raises:
            TokenInvalid: a wrong signature, another algorithm, or not the form of a
                compact JWS.
        """
        signed, header, payload, signature = _parts_of(token)
        key = self._native
        if header.get("alg") != key.algorithm_name or not UNREAD.isdisjoint(header):
            raise TokenInvalid("signature: another algorithm or unknown crit")
        if not key.Algorithm.verify(signed.encode(), key.key, signature):
            raise TokenInvalid("signature")
        return header, payload


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """A snapshot of the platform's keys."""

    signing: Signer | None
    published: tuple[SigningKey, ...] = ()
    _verifying: Mapping[str, VerifyingKey] = field(repr=False, compare=False)

    @classmethod
    def of(cls, signing: SigningKey | None, published: tuple[SigningKey, ...]) -> Self:
        """Make a ring; the signing key is always published."""
        if signing is not None and signing not in published:
            published = (signing, *published)
        keys = [_verifying(key.kid, key.public_jwk()) for key in published]
        return cls(
            signing=signing,
            published=published,
            _verifying={key.kid: key for key in keys},
        )

    @classmethod
    def of_secret(cls, secret: bytes) -> Self:
        """Make the ring of HS256: one secret, no published key."""
        shared = SharedSecret.of(secret)
        verifying = _verifying(shared.kid, shared.jwk())
        return cls(signing=shared, _verifying={shared.kid: verifying})

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the JWK set to publish: public parts with `use`, `alg` and `kid`."""
        return {"keys": [key.public_jwk() for key in self.published]}

    def has(self, kid: str) -> bool:
        """Tell whether tokens of this key id are verified."""
        return kid in self._verifying

    def verifying(self, kid: str) -> VerifyingKey:
        """Return the key with this id.

        Raises:
            TokenInvalid: the ring has no such key.
        """
        try:
            return self._verifying[kid]
        except KeyError:
            raise TokenInvalid("its key id is not in the ring") from None


def claimed_kid(token: str) -> str:
    """Return the `kid` of a token's header; nothing is verified yet.

    Raises:
        TokenInvalid: no readable header, or no key id in it.
    """
    kid = _header_of(token.partition(".")[0]).get("kid")
    if not isinstance(kid, str):
        raise TokenInvalid("no key id")
    return kid


def unverified(token: str) -> tuple[Mapping[str, Any], bytes]:
    """Return header and payload of a token; its signature is not verified.

    Raises:
        TokenInvalid: not the form of a compact JWS.
    """
    _, header, payload, _ = _parts_of(token)
    return header, payload


def _parts_of(token: str) -> tuple[str, Mapping[str, Any], bytes, bytes]:
    """Return what is signed, header, payload and signature. Raises `TokenInvalid`."""
    signed, _, signature = token.rpartition(".")
    header, _, payload = signed.partition(".")
    return signed, _header_of(header), _decoded(payload), _decoded(signature)


@lru_cache(maxsize=MOST_HEADERS)
def _header_of(segment: str) -> Mapping[str, Any]:
    """Return a JOSE header. Raises `TokenInvalid`."""
    try:
        header = parse_json(_decoded(segment))
    except ValueError as error:
        raise TokenInvalid("no JWT header") from error
    if not isinstance(header, dict):
        raise TokenInvalid("no JWT header")
    return MappingProxyType(header)


def _decoded(segment: str) -> bytes:
    """Return the bytes of a segment in the one form of RFC 7515 section 2.

    Raises:
        TokenInvalid: padding, a character outside of base64url, or bits that are lost.
    """
    # As `base64` does it, in a third of the calls.
    try:
        given = segment.encode("ascii")
        data = a2b_base64(given.translate(FROM_URL) + b"==")
    except ValueError as error:
        raise TokenInvalid("not base64url") from error
    if b2a_base64(data, newline=False).translate(TO_URL).rstrip(b"=") != given:
        raise TokenInvalid("not base64url")
    return data


def _verifying(kid: str, jwk: dict[str, Any]) -> VerifyingKey:
    return VerifyingKey(kid=kid, _native=jwt.PyJWK(jwk))
