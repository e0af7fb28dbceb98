"""The key ring of the platform token: one key signs, all published keys verify.

A ring is a snapshot and does not change; `app.flows.keys.rings` replaces it. The JOSE
code of this package is here. A key verifies with its own algorithm only, so a token
cannot choose its algorithm (RFC 8725 section 3.1).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, Self

import jwt

from app.atproto.crypto.encoding import base64url, sha256_base64url
from app.atproto.crypto.keys import SigningKey

from .errors import TokenInvalid

TYP: Final = "JWT"
"""Header `typ`. Not `at+jwt`, because RFC 9068 requires a `client_id`, which our logins
do not have. Anything else that a platform key signs has another `typ`."""

_JWS = jwt.PyJWS()


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

    def open(self, token: str) -> tuple[dict[str, Any], bytes]:
        """Return header and payload of a token that this key signed.

        Raises:
            TokenInvalid: a wrong signature, or another algorithm.
        """
        try:
            opened = _JWS.decode_complete(
                token, self._native, algorithms=[self._native.algorithm_name]
            )
        except jwt.PyJWTError as error:
            raise TokenInvalid(f"signature: {error}") from error
        return opened["header"], opened["payload"]


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
    # Only the header: PyJWT would parse the whole token, which `open` does anyway.
    header = f"{token.partition('.')[0]}.."
    try:
        kid = _JWS.get_unverified_header(header).get("kid")
    except jwt.PyJWTError as error:
        raise TokenInvalid("no JWT header") from error
    if not isinstance(kid, str):
        raise TokenInvalid("no key id")
    return kid


def _verifying(kid: str, jwk: dict[str, Any]) -> VerifyingKey:
    return VerifyingKey(kid=kid, _native=jwt.PyJWK(jwk))
