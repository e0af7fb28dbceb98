"""Change the username, and tell while it is typed whether a name is free."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from app.flows.errors import (
    NotSignedIn,
    UsernameChangesOff,
    UsernameInvalid,
    UsernameReserved,
)
from app.flows.limits.networks import hit_networks, network_of
from app.flows.people.signup.usernames import Usernames, parse_username
from app.flows.ports import Audit, RateLimit, Sessions, Together, User, Users
from app.flows.sessions.signed_in import account_of

log = logging.getLogger(__name__)

NameState = Literal["free", "taken", "reserved", "invalid"]


class Renames(Protocol):
    """Changes usernames, one at a time for each name and each account."""

    def change_own(
        self,
        user: User,
        username: str,
        *,
        skeleton: str,
        now: float,
        not_since: float,
        held_until: float,
    ) -> None:
        """Give the account another username, and put a hold on the former one.

        Raises:
            UsernameTaken: another account has the name or one like it, or it is held.
            UsernameChangeTooSoon: the account changed it after `not_since`, or `user`
                is out of date.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeUsername:
    """POST /auth/account/username."""

    sessions: Sessions
    users: Users
    renames: Renames
    usernames: Usernames
    limits: RateLimit
    audit: Audit
    together: Together
    clock: Callable[[], float]
    interval: float | None
    """Seconds between two changes (USERNAME_CHANGES); None: people change none."""
    username_hold: float
    """Seconds for which a former username is held for its account."""

    def possible_at(self, user: User) -> float | None:
        """Return when the account may change its username; None for never."""
        if self.interval is None:
            return None
        return (user.username_changed_at or 0.0) + self.interval

    def __call__(self, secret: str | None, typed: str, *, address: str) -> str:
        """Change the username of a session's account, and return the new one.

        The former name is held: it names no account, and no other person can have it.
        Tokens show it until they are renewed.

        Raises:
            NotSignedIn, AccountDisabled: as `account_of` does.
            UsernameChangesOff: USERNAME_CHANGES is `off`.
            TooManyRequests: too many names were tried from this network.
            UsernameInvalid, UsernameReserved, UsernameTaken: choose another.
            UsernameChangeTooSoon: it was changed within USERNAME_CHANGES.
        """
        session, user = account_of(secret, sessions=self.sessions, users=self.users)
        if self.interval is None:
            raise UsernameChangesOff("people do not change usernames here")
        hit_networks(self.limits, "typing", network_of(address))
        if parse_username(typed).username == user.username:
            return user.username
        wanted, now = self.usernames.parse(typed), self.clock()
        names = {"from": user.username, "to": wanted.username}
        with self.together():
            self.renames.change_own(
                user,
                wanted.username,
                skeleton=wanted.skeleton,
                now=now,
                not_since=now - self.interval,
                held_until=now + self.username_hold,
            )
            self.audit.record(
                "username_changed", now=now, did=user.did, sid=session.sid, detail=names
            )
        log.info("%s changed its username", user.did)
        return wanted.username


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckUsername:
    """POST /auth/username: for newcomers at the sign-up, and people who are signed in.

    It says free, taken or reserved, and never whose a name is. A name that is free now
    may be taken when it is sent.
    """

    sessions: Sessions
    users: Users
    usernames: Usernames
    limits: RateLimit

    def __call__(self, secret: str | None, typed: str, *, address: str) -> NameState:
        """Return the state of a name for the person of a session.

        Raises:
            NotSignedIn: no live session has this secret.
            TooManyRequests: too many names were asked from this network.
        """
        session = self.sessions.by_secret(secret) if secret else None
        if session is None:
            raise NotSignedIn("names are checked for proved accounts")
        hit_networks(self.limits, "typing", network_of(address))
        try:
            wanted = self.usernames.parse(typed)
        except UsernameInvalid:
            return "invalid"
        except UsernameReserved:
            return "reserved"
        taken = self.users.taken([wanted.skeleton], but_for=session.did)
        return "taken" if taken else "free"
