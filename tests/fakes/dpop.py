"""Checking DPoP proofs as the reference server does (RFC 9449 §4.3, requirement 5).

Verified with PyJWT and `cryptography` from the bytes on the wire. Stricter than the
reference where the requirements are: the JWK is bare, coordinates have full width, no
claim is there that was not asked for.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

import jwt

from .refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from jwt.types import Options
    from werkzeug.wrappers import Request

OLDEST = 190
FURTHEST_AHEAD = 180
ROTATION = 60
UNDATED: Options = {"verify_iat": False, "verify_exp": False, "verify_nbf": False}
"""The signature is PyJWT's to verify; dates are judged here, by the fake clock."""


class NonceSource:
    """Nonces of one server: previous, current and next are good."""

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self._name = name
        self._clock = clock
        self._turns = 0
        self.rotates_every_answer = False

    def current(self) -> str:
        return self._nonce(0)

    def accepts(self, nonce: object) -> bool:
        if self.rotates_every_answer:
            return nonce == self.current()
        return nonce in {self._nonce(step) for step in (-1, 0, 1)}

    def turn(self) -> None:
        """An answer was given: a server that rotates each time has a new nonce."""
        self._turns += self.rotates_every_answer

    def _nonce(self, step: int) -> str:
        period = int(self._clock() // ROTATION) + step
        text = f"{self._name} {period} {self._turns}"
        return "nonce-" + hashlib.sha256(text.encode()).hexdigest()[:24]


class ProofChecker:
    """One server's memory of the proofs it has seen."""

    def __init__(self, nonces: NonceSource, clock: Callable[[], float]) -> None:
        self.nonces = nonces
        self.shortest_jti = 16
        """Characters of base64url: 96 bits, which not every client takes care of."""
        self.wants_another_nonce = False
        """A server that is never content (the attack of requirement 5.8)."""
        self._clock = clock
        self._seen: set[str] = set()

    def check(self, request: Request, *, access_token: str | None = None) -> str:
        """Return the thumbprint of the key that proved itself, or refuse."""
        proofs = request.headers.getlist("DPoP")
        if len(proofs) != 1 or "," in proofs[0]:
            raise _invalid("exactly one DPoP header is wanted")
        jwk, claims = _verified(proofs[0])
        self._check_target(claims, request)
        self._check_freshness(claims)
        _check_token_hash(claims, access_token)
        return thumbprint(jwk)

    def _check_target(self, claims: dict[str, Any], request: Request) -> None:
        if claims.get("htm") != request.method:
            raise _invalid("htm is another method")
        if claims.get("htu") != request.base_url:
            raise _invalid(f"htu is not {request.base_url}")

    def _check_freshness(self, claims: dict[str, Any]) -> None:
        now, iat, jti = self._clock(), claims.get("iat"), claims.get("jti")
        if not isinstance(iat, int) or not -OLDEST <= iat - now <= FURTHEST_AHEAD:
            raise _invalid("iat is out of the window")
        if not isinstance(jti, str) or len(jti) < self.shortest_jti:
            raise _invalid("jti has fewer than 96 bits")
        if jti in self._seen:
            raise _invalid("DPoP proof replayed")
        self._seen.add(jti)
        if self.wants_another_nonce or not self.nonces.accepts(claims.get("nonce")):
            raise Refusal("use_dpop_nonce", "Authorization server requires nonce")


def _verified(proof: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        header = jwt.get_unverified_header(proof)
        jwk = _bare_jwk(header)
        key = jwt.PyJWK(jwk, algorithm="ES256").key
        return jwk, jwt.decode(proof, key, algorithms=["ES256"], options=UNDATED)
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise _invalid(f"not a signed proof: {error}") from error


def _bare_jwk(header: dict[str, Any]) -> dict[str, str]:
    if header.get("typ") != "dpop+jwt" or header.get("alg") != "ES256":
        raise _invalid("typ is dpop+jwt, alg is ES256")
    jwk = header.get("jwk")
    if not isinstance(jwk, dict) or set(jwk) != {"kty", "crv", "x", "y"}:
        raise _invalid("jwk is the bare public key")
    if any(len(_bytes(jwk[name])) != 32 for name in ("x", "y")):
        raise _invalid("a coordinate has not 32 bytes")
    return jwk


def _check_token_hash(claims: dict[str, Any], access_token: str | None) -> None:
    wanted = {"jti", "htm", "htu", "iat", "nonce"}
    if access_token is not None:
        wanted.add("ath")
    if set(claims) - wanted:
        raise _invalid(f"claims that do not belong: {set(claims) - wanted}")
    if access_token is not None and claims.get("ath") != digest(access_token):
        raise _invalid("ath is of another token")


def _invalid(reason: str) -> Refusal:
    return Refusal("invalid_dpop_proof", reason, 401)


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def digest(text: str) -> str:
    """Return base64url(SHA-256(text)) without padding: `ath`, and PKCE's S256."""
    raw = hashlib.sha256(text.encode("ascii")).digest()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def thumbprint(jwk: dict[str, str]) -> str:
    """Return the RFC 7638 thumbprint of an EC key."""
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return digest(json.dumps(members, separators=(",", ":"), sort_keys=True))
