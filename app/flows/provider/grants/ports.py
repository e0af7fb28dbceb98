"""Protocols of the stores of grants, consents and access tokens.

Each method is one transaction, or joins that of `Together`. Secrets are stored as
hashes. Every method may raise `StorageFailed`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from app.atproto.syntax.grammar import Did

from .records import (
    AccessToken,
    App,
    Consent,
    Grant,
    GrantLifetimes,
    ListedGrant,
    LivingGrant,
    Rotated,
)


class Grants(Protocol):
    """The grants.

    A grant lives while it has not ended or expired, its client and its account are
    enabled, and, without `offline_access`, its session lives.
    """

    def add(self, grant: Grant, *, most: int) -> None:
        """Store a grant; beyond `most` of its account and client, one ends.

        That is one without tokens, or the one that was not used for longest.
        """

    def living(self, grant_id: str, *, now: float) -> LivingGrant | None:
        """Return a grant if it lives, with account and client as they are now."""

    def by_refresh_token(self, token: str, *, now: float) -> LivingGrant | None:
        """Return the living grant whose chain a refresh token names.

        The token may be an old one: `rotate` judges it.
        """

    def start_refresh(self, grant_id: str, token: str, *, now: float) -> bool:
        """Give a grant its first refresh token; False if it has ended or has one."""

    def rotate(self, token: str, *, lifetimes: GrantLifetimes, now: float) -> Rotated:
        """Replace a refresh token, judged by `flows/sessions/rotation.py`.

        One transaction for all nodes: any number of callers with the current token get
        one successor. A token that is reused ends its grant.
        """

    def is_current(self, token: str) -> bool:
        """Tell whether a refresh token is the one of its chain that is good now."""

    def end_by_refresh_token(self, token: str, *, client_id: str) -> Grant | None:
        """End a client's grant that any refresh token of its chain names."""

    def move(self, from_sid: str, to_sid: str, *, expires_at: float) -> int:
        """Bind the grants of a session to another one of the same account.

        `expires_at` is that of the new session. Returns how many were moved.
        """

    def end(self, grant_id: str) -> Grant | None:
        """End a grant with its tokens; returns it to the one caller that ended it."""

    def end_all(
        self, *, did: Did | None = None, client_id: str | None = None
    ) -> Sequence[Grant]:
        """End the grants of an account, of a client, or of both; returns them."""

    def list(
        self, *, did: Did | None = None, client_id: str | None = None, now: float
    ) -> Sequence[ListedGrant]:
        """Return living grants, the latest first."""


class Consents(Protocol):
    """What people allowed, one row for each account and client."""

    def get(self, did: Did, client_id: str) -> Consent | None:
        """Return the consent, or None."""

    def give(self, consent: Consent) -> None:
        """Store a consent; the words of an earlier one stay allowed."""

    def withdraw(self, did: Did, *, client_id: str | None = None) -> Sequence[str]:
        """Delete the consent for a client, or all; returns the clients' ids."""

    def apps(self, did: Did, *, now: float) -> Sequence[App]:
        """Return the apps that a person allowed or is signed in to, by name."""


class AccessTokens(Protocol):
    """Opaque access tokens. Ask `Grants.living` whether the grant of one lives."""

    def add(self, token: AccessToken, *, secret: str, most: int) -> None:
        """Store a token; beyond `most` of its grant, the oldest ends."""

    def find(self, secret: str, *, now: float) -> AccessToken | None:
        """Return a token that has not expired, or None."""

    def drop(self, secret: str, *, client_id: str) -> bool:
        """Delete a token of a client; False if the client has no such token."""
