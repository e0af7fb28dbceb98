"""Client authentication (RFC 7523): the keys that a login or a session signs with.

A session is pinned to one DPoP key and, for a confidential client, to the client key of
its login (requirements 5.1 and 7.3). A server that sees another key refuses the request
and ends the session (requirement 7.4).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from ..crypto.keys import ClientKeys, SigningKey
from ..crypto.proofs import build_client_assertion
from ..errors import KeyUnavailable
from ..records import AuthRequest, OAuthSession

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAuth:
    """The client id and the keys of one login or session, from PAR to revocation."""

    client_id: str
    client_key: SigningKey | None = field(repr=False)
    """None for a public client."""
    dpop_key: SigningKey = field(repr=False)

    def sign(
        self, form: Mapping[str, str], issuer: str
    ) -> Callable[[float], dict[str, str]]:
        """Return a function that adds client authentication to a form.

        It is called once per attempt, because the `jti` of an assertion may be used
        once (requirement 4.13).
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


class ClientAuthProvider:
    """Finds the ClientAuth of a login or a session; `keys` is None for a public client.

    `keys` is called each time, so that a new key is used without a restart
    (requirement 3.18).
    """

    def __init__(self, keys: Callable[[], ClientKeys] | None) -> None:
        self._keys = keys

    def newest_kid(self) -> str | None:
        """Return the id of the client key for a new login."""
        return None if self._keys is None else self._keys().primary().kid

    def of(self, owner: AuthRequest | OAuthSession) -> ClientAuth:
        """Return the client authentication of a login or a session (requirement 7.3).

        Raises:
            KeyUnavailable: its client key is gone. Send nothing: a request with another
                key would end the session at its host (requirement 7.4).
        """
        return ClientAuth(
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
            raise KeyUnavailable(key.kid)  # the kid was reused for another key
        return key
