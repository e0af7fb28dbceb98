"""A grant, a consent and an access token, as they are stored.

A grant is made when a person lets an app in, one for each authorization code: it is the
family of the tokens that follow. A consent is the person's answer; it outlives grants,
so that the next sign-in asks nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Literal

from app.atproto.syntax.grammar import Did
from app.flows.ports import User
from app.flows.provider.registration import Client, Registration

OFFLINE: Final = "offline_access"
"""The scope of a grant that outlives its session (OpenID Connect Core section 11)."""

MOST_GRANTS: Final = 20
"""Living grants of one account and client; then the one not used for longest ends."""

MOST_TOKENS: Final = 32
"""Living access tokens of one grant; then the oldest ends."""


RefreshVerdict = Literal["rotate", "repeat", "reused", "unknown"]
"""`rotate` and `repeat` bring a successor, `reused` has ended the grant, and `unknown`
changed nothing: no living grant has this chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What one sign-in gave one app; ended ones are deleted."""

    grant_id: str
    """The `sid` claim of its id_tokens; it says nothing about the platform's."""
    client_id: str
    did: Did
    scope: str
    session_id: str
    """The sid of the platform session; without `offline_access` the grant ends with
    it."""
    auth_time: float
    """When the host last proved the account."""
    created_at: float
    used_at: float
    """When tokens were last issued."""
    expires_at: float

    @property
    def is_offline(self) -> bool:
        """Tell whether the grant outlives its session."""
        return OFFLINE in self.scope.split()


@dataclass(frozen=True, slots=True, kw_only=True)
class LivingGrant:
    """A grant with its account and client, read at one moment.

    Neither has ended, expired or been disabled. The policy was not judged.
    """

    grant: Grant
    user: User
    client: Client


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What a person allowed a client, until the person takes it back."""

    did: Did
    client_id: str
    scope: str
    """All words that the person allowed so far."""
    given_at: float

    def covers(self, scope: str) -> bool:
        """Tell whether every word of a scope was allowed."""
        return set(scope.split()) <= set(self.scope.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """An opaque access token without its secret, of which only a hash is stored."""

    grant_id: str
    scope: str
    issued_at: float
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantLifetimes:
    """GRANT_LIFETIME and GRANT_IDLE, in seconds, for grants that outlive sessions."""

    longest: float
    idle: float

    def first(self, scope: str, *, now: float, session_expires_at: float) -> float:
        """Return when a new grant expires if it is not used again.

        One without `offline_access` ends with its session.
        """
        if OFFLINE not in scope.split():
            return session_expires_at
        return now + min(self.longest, self.idle)

    def after_use(self, grant: Grant, *, now: float) -> float:
        """Return when a grant that is used now expires if it is not used again."""
        if not grant.is_offline:
            return grant.expires_at
        return min(grant.created_at + self.longest, now + self.idle)


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An app of a person, as the account page lists it."""

    client_id: str
    registration: Registration
    scope: str
    """What the app may be told: the words of its consent and of its grants."""
    since: float
    used_at: float | None
    """When tokens were last issued; None if the person is not signed in there."""

    def joined(self, other: App) -> App:
        """Return one record of two of the same app."""
        words = self.scope.split()
        words += [word for word in other.scope.split() if word not in words]
        uses = [at for at in (self.used_at, other.used_at) if at is not None]
        return replace(
            self,
            scope=" ".join(words),
            since=min(self.since, other.since),
            used_at=max(uses, default=None),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedGrant:
    """A living grant with its account's username, as `grants list` shows it."""

    grant: Grant
    username: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What became of a refresh token; `token` is its successor, if it has one."""

    verdict: RefreshVerdict
    token: str | None = field(default=None, repr=False)
