"""What a flow or a session proves itself with, from PAR to revocation (5.1, 7.3).

A session is pinned to one DPoP key and, for a confidential client, to the client key of
its login. A server that sees another key refuses, and ends the session (7.4).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from ..crypto.proofs import build_client_assertion
from ..errors import KeyUnavailable
from ..records import OAuthSession

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..crypto.keys import ClientKeys, SigningKey
    from ..records import AuthRequest

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """What one session proves itself with, from PAR to revocation (5.1, 7.3)."""

    client_id: str
    client_key: SigningKey | None = field(repr=False)
    """None for a public client."""
    dpop_key: SigningKey = field(repr=False)

    def sign(
        self, form: Mapping[str, str], issuer: str
    ) -> Callable[[float], dict[str, str]]:
        """Return what adds this client's authentication to a form, anew per attempt.

        An assertion's `jti` serves once, so a second try needs a second one (4.13).
        """
        return partial(self._authenticated, form, issuer)

    def _authenticated(
        self, form: Mapping[str, str], issuer: str, now: float
    ) -> dict[str, str]:
        fields = {**form, "client_id": self.client_id}
        if self.client_key is not None:
            fields["client_assertion_type"] = ASSERTION_TYPE
            fields["client_assertion"] = build_client_assertion(
                self.client_key, client_id=self.client_id, issuer=issuer, now=now
            )
        return fields


class Bindings:
    """Finds what a flow or a session is pinned to; `keys` is None for a public client.

    The keys are asked each time, so that a new one is used without a restart (3.18).
    """

    def __init__(self, keys: Callable[[], ClientKeys] | None) -> None:
        self._keys = keys

    def newest_kid(self) -> str | None:
        """Return the key id that a new flow is pinned to."""
        return None if self._keys is None else self._keys().primary().kid

    def of(self, owner: AuthRequest | OAuthSession) -> Binding:
        """Return the binding of a flow or session (requirement 7.3).

        Raises:
            KeyUnavailable: its client key is gone; nothing may be sent with another,
                which would end the session at its host (7.4).
        """
        return Binding(
            client_id=owner.client_id,
            client_key=self._client_key(owner),
            dpop_key=owner.dpop_key,
        )

    def _client_key(self, owner: AuthRequest | OAuthSession) -> SigningKey | None:
        if owner.auth_method == "none":
            return None
        if self._keys is None or owner.client_kid is None:
            raise KeyUnavailable(owner.client_kid or "")
        key = self._keys().get(owner.client_kid)
        if (
            isinstance(owner, OAuthSession)
            and owner.client_thumbprint != key.thumbprint
        ):
            raise KeyUnavailable(key.kid)  # the kid names another key by now
        return key
