"""An OAuth client as an operator registers it, and the protocol of the client store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

Pkce = Literal["required", "optional"]
Email = Literal["none", "placeholder", "account"]

GRANT_TYPES: Final = ("authorization_code", "refresh_token")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What an operator says of a client."""

    name: str
    """What the consent page calls it: 1 to 64 printable characters."""
    redirect_uris: tuple[str, ...]
    is_public: bool = False
    """It cannot keep a secret (RFC 6749 section 2.1), and has none."""
    post_logout_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str | None = None
    scope: str = "openid profile"
    """The most that it may ask for, and what it gets when it asks for nothing."""
    grant_types: tuple[str, ...] = GRANT_TYPES
    pkce: Pkce = "required"
    is_trusted: bool = False
    """First party: people are not asked for consent."""
    email: Email = "none"
    is_id_token_lean: bool = False
    """The id_token carries no claims of userinfo."""
    preset: str = "generic"
    jwks: str | None = None
    """The public keys (a JWK set) with which it authenticates in place of a secret."""
    jwks_uri: str | None = None
    """Where they are, if not in `jwks`."""

    @property
    def has_keys(self) -> bool:
        """Tell whether it authenticates by private_key_jwt, and has no secret."""
        return self.jwks is not None or self.jwks_uri is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A registered client; one with an empty `allow` lets in no account."""

    client_id: str
    registration: Registration
    allow: tuple[str, ...]
    """Who may use it, as `policy.Policy` reads it."""
    created_at: float
    changed_at: float
    disabled_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretId:
    """A secret of a client without the secret, of which only a hash is stored."""

    secret_id: str
    created_at: float


class Clients(Protocol):
    """The registered clients with their policies and the hashes of their secrets."""

    def add(self, client: Client, *, most: int) -> bool:
        """Add a client; False if its id is taken, or there are `most` already."""

    def get(self, client_id: str) -> Client | None:
        """Return a client, a disabled one too, or None."""

    def list(self) -> Sequence[Client]:
        """Return all clients by client_id."""

    def change(
        self, client_id: str, change: Callable[[Client], Client]
    ) -> Client | None:
        """Replace a client by what `change` returns for it; None if there is none.

        One transaction: no other change of the client runs meanwhile.
        """

    def forget_answers(self, client_id: str) -> None:
        """Delete what people were asked and allowed: consents, waiting requests."""

    def remove(self, client_id: str) -> bool:
        """Delete a client with its secrets and consents; False if there is none."""

    def secrets(self, client_id: str) -> Sequence[SecretId]:
        """Return the secrets of a client, the oldest first."""

    def add_secret(
        self, client_id: str, secret: str, *, known: SecretId, most: int
    ) -> bool:
        """Add a secret; False if the client is gone or has `most` already."""

    def drop_secret(self, client_id: str, secret_id: str | None) -> str | None:
        """Delete a secret, the oldest by default, and return its id.

        None if it is unknown or the last one.
        """
