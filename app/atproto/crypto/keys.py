"""Signing keys as JWK and PEM: client keys, DPoP keys, and the platform's own.

joserfc reads JWKs and PyJWT signs; no other module uses them. The JWK of an ES256 key
is written here, because each login has one. A key is parsed once and the object kept,
because parsing costs more than signing. A JWK is always exported from the key itself
and not from what was imported, so its coordinates have their full width (RFC 7518
section 6.2.1.2).
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePrivateNumbers,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicNumbers,
)
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey
from jwt.algorithms import get_default_algorithms

from ..errors import KeyUnavailable
from .encoding import base64url, sha256_base64url

Algorithm = Literal["ES256", "RS256", "EdDSA"]
PrivateKey = EllipticCurvePrivateKey | RSAPrivateKey | Ed25519PrivateKey

RSA_BITS: Final = 2048
"""Minimum size of an RSA key, and the size of new ones (RFC 7518 section 3.3)."""

P256_BYTES: Final = 32

_SIGNERS: Final = get_default_algorithms()

OWN_FORM: Final = frozenset({"kty", "crv", "x", "y", "d", "kid", "alg"})
"""The members that `private_jwk` gives an ES256 key."""

OWN_RSA_FORM: Final = frozenset(
    {"kty", "n", "e", "d", "p", "q", "dp", "dq", "qi", "kid", "alg"}
)
"""The members that `private_jwk` gives an RS256 key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key, its algorithm and its key id.

    Made by `generate`, `from_jwk` or `from_pem`; equal keys share all three fields.
    """

    kid: str
    alg: Algorithm
    thumbprint: str
    """RFC 7638, SHA-256: identifies the key independently of its kid."""
    _native: PrivateKey = field(repr=False, compare=False)
    _public: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def generate(cls, alg: Algorithm = "ES256", kid: str | None = None) -> Self:
        """Make a new key; its kid is the thumbprint unless one is given."""
        if alg == "ES256":
            return cls._of(ECKey.generate_key("P-256").private_key, kid)
        if alg == "RS256":
            return cls._of(RSAKey.generate_key(RSA_BITS).private_key, kid)
        return cls._of(OKPKey.generate_key("Ed25519").private_key, kid)

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any]) -> Self:
        """Read a private JWK (RFC 7517); its `kid` is kept if it has one.

        Raises:
            ValueError: not a private key for ES256, RS256 or EdDSA, or declared for
                another use. The message never contains the key.
        """
        if jwk.get("kty") not in {"EC", "RSA", "OKP"}:
            raise ValueError("not a JWK of a private key")
        try:
            native = _restored(jwk) if jwk.keys() == OWN_FORM else _imported(jwk)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            raise ValueError("not a usable private JWK") from None
        signing = cls._of(native, jwk.get("kid"))
        declared = (jwk.get("use", "sig"), jwk.get("alg", signing.alg))
        if declared != ("sig", signing.alg) or "sign" not in jwk.get("key_ops", "sign"):
            raise ValueError(f"the JWK is not declared for signing with {signing.alg}")
        return signing

    @classmethod
    def restore(cls, jwk: Mapping[str, Any]) -> Self:
        """Read a key as `private_jwk` returned it, from storage that authenticates it.

        The numbers of an RSA key are not checked again: that takes 90 ms.

        Raises:
            ValueError: as `from_jwk`.
        """
        if jwk.keys() != OWN_RSA_FORM:
            return cls.from_jwk(jwk)
        n, e, d, p, q, dp, dq, qi = (
            _number(jwk[name]) for name in ("n", "e", "d", "p", "q", "dp", "dq", "qi")
        )
        numbers = RSAPrivateNumbers(p, q, d, dp, dq, qi, RSAPublicNumbers(e, n))
        return cls._of(
            numbers.private_key(unsafe_skip_rsa_key_validation=True), jwk["kid"]
        )

    @classmethod
    def from_pem(cls, pem: bytes, kid: str | None = None) -> Self:
        """Read an unencrypted private key in PEM, usually PKCS#8.

        Raises:
            ValueError: not a private key for ES256, RS256 or EdDSA.
        """
        try:
            native = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError):
            raise ValueError("not an unencrypted private key in PEM") from None
        return cls._of(native, kid)

    @classmethod
    def _of(cls, private: object, kid: object) -> Self:
        native, alg = _usable(private)
        if kid is not None and (not isinstance(kid, str) or not kid):
            raise ValueError("the key's kid is not a name")
        public = _public_jwk(native)
        thumbprint = _thumbprint(public)
        return cls(
            kid=kid or thumbprint,
            alg=alg,
            thumbprint=thumbprint,
            _native=native,
            _public=public,
        )

    def bare_jwk(self) -> dict[str, Any]:
        """Return the public key alone, for a DPoP proof (requirement 5.2)."""
        return dict(self._public)

    def public_jwk(self, *, use_sig: bool = True) -> dict[str, Any]:
        """Return the public key for publication (requirement 3.17).

        Without `key_ops`: servers drop keys whose `key_ops` they do not expect.
        """
        use = {"use": "sig"} if use_sig else {}
        return {**self._public, "kid": self.kid, "alg": self.alg, **use}

    def private_jwk(self) -> dict[str, Any]:
        """Return the private key, for storage in encrypted form."""
        named = {"kid": self.kid, "alg": self.alg}
        if isinstance(self._native, EllipticCurvePrivateKey):
            d = self._native.private_numbers().private_value
            return {**self._public, "d": _coordinate(d), **named}
        return {**_wrapped(self._native).as_dict(private=True), **named}

    def sign(
        self, claims: Mapping[str, Any], *, headers: Mapping[str, Any] | None = None
    ) -> str:
        """Return a compact JWS over the claims; `typ` is JWT unless the headers set it.

        A header that is None is left out.

        ECDSA signatures are r || s, never DER (RFC 7518 section 3.4). The segments are
        joined here: PyJWT takes longer for that and its checks than for the signature.
        """
        header = {"alg": self.alg, "typ": "JWT", **(headers or {})}
        header = {name: value for name, value in header.items() if value is not None}
        message = f"{_segment(header)}.{_segment(claims)}"
        signature = _SIGNERS[self.alg].sign(message.encode("ascii"), self._native)
        return f"{message}.{base64url(signature)}"


def _segment(content: Mapping[str, Any]) -> str:
    """Return a header or claims as RFC 7515 section 3.1 has them."""
    return base64url(json.dumps(dict(content), separators=(",", ":")).encode())


class ClientKeys:
    """The keys with which this client authenticates, newest first (requirement 3.18).

    New sessions use the newest key; old sessions keep the key that they began with.
    `announced` keys are published and begin no session yet: servers cache our keys, so
    a key is published for a while before it signs (requirement 3.11). They sign for
    sessions that another node, which is a moment ahead, has begun with them.
    """

    def __init__(
        self, keys: Iterable[SigningKey], *, announced: Iterable[SigningKey] = ()
    ) -> None:
        """Take these keys.

        Raises:
            ValueError: no signing key, one that is not ES256, or a repeated kid.
        """
        signing = tuple(keys)
        self._published = (*announced, *signing)
        self._keys = {key.kid: key for key in (*signing, *self._published)}
        if not signing or len(self._keys) < len(self._published):
            raise ValueError("client keys: at least one, and each kid once")
        if any(key.alg != "ES256" for key in self._published):
            raise ValueError("client keys are for ES256 (requirement 3.15)")

    def primary(self) -> SigningKey:
        """Return the key for new sessions."""
        return next(iter(self._keys.values()))

    def get(self, kid: str) -> SigningKey:
        """Return the key with this kid, to which a session is bound.

        Raises:
            KeyUnavailable: it is gone; no other key may sign (requirement 7.4).
        """
        try:
            return self._keys[kid]
        except KeyError:
            raise KeyUnavailable(kid) from None

    def public_jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the JWK set to publish."""
        return {"keys": [key.public_jwk() for key in self._published]}


def _usable(native: object) -> tuple[PrivateKey, Algorithm]:
    if isinstance(native, EllipticCurvePrivateKey):
        if isinstance(native.curve, SECP256R1):
            return native, "ES256"
    elif isinstance(native, RSAPrivateKey):
        if native.key_size >= RSA_BITS:
            return native, "RS256"
    elif isinstance(native, Ed25519PrivateKey):
        return native, "EdDSA"
    raise ValueError(
        f"not a private key on P-256 or Ed25519, nor RSA of {RSA_BITS} bits or more"
    )


def _imported(jwk: Mapping[str, Any]) -> object:
    return JWKRegistry.import_key(dict(jwk)).private_key


def _restored(jwk: Mapping[str, Any]) -> EllipticCurvePrivateKey:
    """Read an ES256 key as `private_jwk` writes it; every grant has one.

    OpenSSL checks that the point is on the curve and belongs to the private value.
    Other JWKs may have more members: joserfc reads those, in twice the time.
    """
    if (jwk["kty"], jwk["crv"]) != ("EC", "P-256"):
        raise ValueError("not an ES256 key")
    x, y, d = (_number(jwk[name]) for name in "xyd")
    public = EllipticCurvePublicNumbers(x, y, SECP256R1())
    return EllipticCurvePrivateNumbers(d, public).private_key()


def _number(text: str) -> int:
    return int.from_bytes(urlsafe_b64decode(text + "=="))


def _thumbprint(public: Mapping[str, Any]) -> str:
    """Hash a bare public JWK: the required members only (RFC 7638 section 3)."""
    canonical = json.dumps(public, sort_keys=True, separators=(",", ":"))
    return sha256_base64url(canonical)


def _public_jwk(native: PrivateKey) -> dict[str, Any]:
    """Return the bare public JWK; of ES256, one is made for every login."""
    if not isinstance(native, EllipticCurvePrivateKey):
        return _wrapped(native).as_dict(private=False)
    numbers = native.public_key().public_numbers()
    x, y = _coordinate(numbers.x), _coordinate(numbers.y)
    return {"crv": "P-256", "x": x, "y": y, "kty": "EC"}


def _coordinate(number: int) -> str:
    """Return a number of P-256 at its full width (RFC 7518 section 6.2.1.2)."""
    return base64url(number.to_bytes(P256_BYTES))


def _wrapped(native: RSAPrivateKey | Ed25519PrivateKey) -> Key:
    if isinstance(native, RSAPrivateKey):
        return RSAKey.import_key(native)
    return OKPKey.import_key(native)
