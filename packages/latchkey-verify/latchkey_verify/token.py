"""Open a token (JWT): its form, header, signature, issuer and times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import jwt

from .document import Document
from .errors import KeysUnavailable, TokenExpired, TokenInvalid
from .keys import Keys

if TYPE_CHECKING:
    from jwt.types import Options

LEEWAY: Final = 30
"""Seconds by which the clocks of the service and of this machine may differ."""

KEYS_REFETCH: Final = 10.0
"""Seconds between two fetches that unknown key ids may cause."""

# Each names a key that the sender chose (RFC 8725 section 3.10), or demands an
# extension that we do not know (RFC 7515 section 4.1.11).
_REFUSED_HEADERS: Final = ("jku", "jwk", "x5u", "x5c", "crit")

# Only the signature: the claims are checked here, with the clock that was given.
_SIGNATURE_ALONE: Final[Options] = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


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
        if len(token) > longest or not token.isascii():
            raise TokenInvalid("form: not a token")
        kid = self._checked_kid(token, typ)
        try:
            claims = jwt.decode(
                token,
                self._key(kid),
                algorithms=[self.algorithm],
                options=_SIGNATURE_ALONE,
            )
        except jwt.PyJWTError as error:
            msg = f"signature: {error}"
            raise TokenInvalid(msg) from error
        self._check(claims)
        return kid, claims

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

    def _checked_kid(self, token: str, typ: str) -> str:
        """Return the key id, when the header is one that this service writes."""
        try:
            # The header alone: whether the rest is a token, the signature shows.
            header = jwt.get_unverified_header(f"{token.partition('.')[0]}..")
        except (jwt.PyJWTError, RecursionError) as error:  # PyJWT of 2024: either
            msg = f"form: {error}"
            raise TokenInvalid(msg) from error
        if header.get("alg") != self.algorithm:
            raise TokenInvalid("alg: another algorithm than the service's")
        if header.get("typ") != typ:
            raise TokenInvalid("typ: signed for another purpose")
        for name in _REFUSED_HEADERS:
            if name in header:
                msg = f"{name}: a header that the service never writes"
                raise TokenInvalid(msg)
        if not isinstance(header.get("kid"), str):
            raise TokenInvalid("kid: no key id")
        return str(header["kid"])

    def _key(self, kid: str) -> jwt.PyJWK:
        keys = self.keys.get()
        if keys is None:
            raise KeysUnavailable("the service's keys could not be fetched yet")
        return keys[kid] if kid in keys else self.require_key(kid)

    def _check(self, claims: Mapping[str, Any]) -> None:
        if claims.get("iss") != self.issuer:
            raise TokenInvalid("iss: another issuer")
        times = [claims.get(name) for name in ("iat", "exp")]
        times += [claims["nbf"]] if "nbf" in claims else []
        # type(), because a bool is an int.
        if any(type(each) is not int for each in times):
            raise TokenInvalid("times: iat, nbf or exp is no number")
        now = self.clock()
        if now >= claims["exp"] + LEEWAY:
            raise TokenExpired("exp: expired")
        if max(claims["iat"], claims.get("nbf", 0)) > now + LEEWAY:
            raise TokenInvalid("nbf: issued in the future")
