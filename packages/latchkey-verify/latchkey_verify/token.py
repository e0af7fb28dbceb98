"""Open a token (JWT): its form, header, signature, issuer and times."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import jwt

from .document import Document
from .errors import KeysUnavailable, TokenExpired, TokenInvalid
from .keys import Keys

LEEWAY: Final = 30
"""Seconds by which the clocks of the service and of this machine may differ."""

KEYS_REFETCH: Final = 10.0
"""Seconds between two fetches that unknown key ids may cause."""

MAX_SECONDS: Final = 2**53 - 1
"""The largest integer that every parser of JSON keeps exactly (RFC 8259 section 6)."""

# Each names a key that the sender chose (RFC 8725 section 3.10), demands an extension
# that we do not know (RFC 7515 section 4.1.11), or changes what is signed (RFC 7797).
_REFUSED_HEADERS: Final = ("jku", "jwk", "x5u", "x5c", "crit", "b64")

_COMPACT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]*)")

_JWS: Final = jwt.PyJWS()


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens the JWTs that one service signs with one algorithm."""

    issuer: str
    algorithm: str
    keys: Document[Keys]
    clock: Callable[[], float]

    def open(
        self, token: str, *, typ: str, longest: int
    ) -> tuple[str, Mapping[str, Any]]:
        """Return key id and claims of a JWT that the service signed for this use.

        Raises:
            TokenInvalid: another form, type, algorithm, key, signature or issuer.
            TokenExpired: `exp` has passed.
            KeysUnavailable: no keys yet, and the service cannot be reached.
        """
        header, claims = _decoded(token, longest)
        kid = self._checked_kid(header, typ)
        try:
            _JWS.decode(token, self._key(kid), algorithms=[self.algorithm])
        except jwt.PyJWTError as error:
            raise TokenInvalid("signature: not of the service's key") from error
        return kid, self._checked_claims(_object(claims, "claims"))

    def require_key(self, kid: str) -> jwt.PyJWK:
        """Return a key of the JWKS as it is now, at most `KEYS_REFETCH` seconds old.

        Raises:
            TokenInvalid: the service publishes no such key.
        """
        self.keys.refresh(every=KEYS_REFETCH)
        try:
            return (self.keys.get() or {})[kid]
        except KeyError:
            raise TokenInvalid("kid: not one of the service's keys") from None

    def _checked_kid(self, header: Mapping[str, Any], typ: str) -> str:
        """Return the key id, when the header is one that this service writes."""
        if header.get("alg") != self.algorithm:
            raise TokenInvalid("alg: another algorithm than the service's")
        if header.get("typ") != typ:
            raise TokenInvalid("typ: signed for another purpose")
        for name in _REFUSED_HEADERS:
            if name in header:
                msg = f"{name}: a header that the service never writes"
                raise TokenInvalid(msg)
        kid = header.get("kid")
        if not isinstance(kid, str) or not kid:
            raise TokenInvalid("kid: no key id")
        return kid

    def _key(self, kid: str) -> jwt.PyJWK:
        keys = self.keys.get()
        if keys is None:
            raise KeysUnavailable("the service's keys could not be fetched yet")
        return keys[kid] if kid in keys else self.require_key(kid)

    def _checked_claims(self, claims: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the claims, when issuer and times are right; the times as int."""
        if claims.get("iss") != self.issuer:
            raise TokenInvalid("iss: another issuer")
        times = {"iat": _seconds(claims, "iat"), "exp": _seconds(claims, "exp")}
        if "nbf" in claims:
            times["nbf"] = _seconds(claims, "nbf")
        now = self.clock()
        if now >= times["exp"] + LEEWAY:
            raise TokenExpired("exp: expired")
        if max(times["iat"], times.get("nbf", 0)) > now + LEEWAY:
            raise TokenInvalid("nbf: issued in the future")
        return {**claims, **times}


def _decoded(token: object, longest: int) -> tuple[Mapping[str, Any], bytes]:
    """Return the header and the bytes of the claims, neither of them verified.

    What is no text is no token either: a dictionary of cookies may give None.
    """
    parts = None
    if isinstance(token, str) and len(token) <= longest:
        parts = _COMPACT.fullmatch(token)
    if parts is None:
        raise TokenInvalid("form: not a token")
    header, claims, _ = [_bytes(part) for part in parts.groups()]
    return _object(header, "form"), claims


def _bytes(part: str) -> bytes:
    """Decode base64url without padding, which has one way to write each value."""
    try:
        raw = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raw = b""
    if urlsafe_b64encode(raw).rstrip(b"=") != part.encode("ascii"):
        raise TokenInvalid("form: not base64url")
    return raw


def _object(raw: bytes, named: str) -> Mapping[str, Any]:
    """Parse a JSON object in UTF-8."""
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        msg = f"{named}: not a JSON object"
        raise TokenInvalid(msg)
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)  # NaN and Infinity are no JSON


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON has one kind of number: 1.0 is 1
    # type(), because a bool is an int.
    if type(value) is not int or abs(value) > MAX_SECONDS:
        raise TokenInvalid("times: iat, nbf or exp is no number of seconds")
    return value
