"""Read the id_token of an `id_token_hint` (OpenID Connect Core section 3.1.2.1).

Only an id_token that we signed for the client that shows it counts. An expired one
does: a hint names a person and proves nothing. One whose key has left the ring cannot
be verified any more and names no person; an app that sends its last id_token each time
would have no way back from an error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.atproto.syntax.foreign_json import parse_json

from .errors import TokenInvalid
from .keys import KeyRing, claimed_kid, unverified
from .verifier import MAX_LENGTH


@dataclass(frozen=True, slots=True, kw_only=True)
class IdTokenHints:
    """Reads id_tokens with the keys that the ring publishes now."""

    ring: Callable[[], KeyRing]
    issuer: str

    def __call__(self, token: str, *, client_id: str) -> str | None:
        """Return the `sub` of an id_token for this client.

        None if it has the form of one and its key is not in the ring.

        Raises:
            ValueError: not an id_token that we signed for this client.
        """
        if len(token) > MAX_LENGTH or not token.isascii():
            raise ValueError("not the form of a token")
        try:
            ring, kid = self.ring(), claimed_kid(token)
            is_known = ring.has(kid)
            header, payload = (
                ring.verifying(kid).open(token) if is_known else unverified(token)
            )
            claims = parse_json(payload)
        except TokenInvalid as error:
            raise ValueError(str(error)) from error
        # Tokens of other kinds are signed with the same keys and have a `typ`.
        if "typ" in header or not isinstance(claims, dict):
            raise ValueError("no id_token")
        if (claims.get("iss"), claims.get("aud")) != (self.issuer, client_id):
            raise ValueError("another issuer or client")
        return str(claims.get("sub")) if is_known else None
