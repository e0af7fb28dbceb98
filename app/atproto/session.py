"""The OAuth session: what an authorization server granted for one account.

One session is one grant: an account (DID) on one device, with its own DPoP key
(requirement 5.1) and pinned to the client key it was made with (7.3). It carries what
later requests need without another discovery. Tokens are opaque strings (7.1).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .keys import SigningKey
    from .syntax import Did, Handle, Origin

AuthMethod = Literal["none", "private_key_jwt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthSession:
    """A token set with everything it is bound to; times are epoch seconds."""

    did: Did
    session_id: str
    """Ours, random: a second device is a second session (requirement 6.19)."""
    handle: Handle | None
    """Verified both ways when the session was made; display text only (1.30)."""
    issuer: str
    pds: Origin
    client_id: str
    auth_method: AuthMethod
    client_kid: str | None
    client_thumbprint: str | None
    """RFC 7638 thumbprint of the client key: a kid reused for another key is gone."""
    dpop_key: SigningKey = field(repr=False)
    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    """None: the session cannot be refreshed (requirement 7.5)."""
    scope: str
    """As granted, which may be less than was asked (requirement 6.16)."""
    expires_at: float | None
    """When the access token ends; None when the server did not say (7.1)."""
    token_endpoint: str
    revocation_endpoint: str | None
    as_nonce: str | None = field(repr=False)
    pds_nonce: str | None = field(repr=False)
    created_at: float
    refreshed_at: float
    verified_at: float
    """Age of the evidence that the DID's own PDS points to the issuer (6.12)."""
