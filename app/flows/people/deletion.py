"""Delete an account: `users delete`, and "leave" on the account page.

All that is stored of the DID is removed or anonymised in one transaction, which also
puts a hold on the username. The grants at the hosts are revoked afterwards: a grant is
all that is left then, and the sweep revokes and deletes those that are not reached.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from app.atproto.client import Revocation
from app.atproto.http.types import Deadline
from app.atproto.syntax.grammar import Did
from app.flows.errors import NotSignedIn, UsernameNotConfirmed
from app.flows.login.destination import Destination
from app.flows.operator import Operator
from app.flows.ports import NativeLogins, Session, Sessions, User, Users
from app.flows.sessions.signed_in import any_account_of

from .sessions import deny_waiting_apps

log = logging.getLogger(__name__)

REVOCATION_BUDGET: Final = 6.0
"""Seconds for all grants together; the sweep revokes those that are left."""

REVOCATION_LIMIT: Final = 3.0
"""Seconds for one grant, so that a slow host leaves time for the others."""

PAUSE: Final = 0.01
"""Seconds between two steps, in which others get the database."""

PATH: Final = "/auth/account/leave"
"""Where the person returns who does not go through with it."""

MARK: Final = "deleted:"
"""Begins what stands in the audit in place of the DID of a deleted account."""


class Erasure(Protocol):
    """Removes what is stored of an account."""

    def forget_events(self, did: Did, *, mark: str) -> int:
        """Put the mark on some of the oldest audit events, if there are very many.

        Repeated until it returns 0, it leaves so few that `erase` is one short step.
        """

    def erase(
        self,
        user: User,
        *,
        mark: str,
        apps: Collection[str],
        detail: Mapping[str, object],
        held_until: float,
        now: float,
    ) -> Sequence[str] | None:
        """Remove the account and all rows of its DID but the grants, in one step.

        The username is held, for no account, until `held_until`. Audit events stay,
        with `mark` in place of the DID and nothing else of the person; `detail` is that
        of the event of the deletion. `apps` are native logins that the person began.

        Returns the session ids of the grants, or None if there is no such account.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """An account that is gone."""

    username: str
    mark: str
    """What the audit shows in place of the DID."""
    held_until: float
    sessions: int
    grants: int
    """How many grants there were at the hosts."""
    revocations: Sequence[Revocation]
    """What the hosts that were asked did; the sweep takes care of the rest."""

    @property
    def revoked(self) -> int:
        """How many grants need no other try."""
        return sum(one.is_answered for one in self.revocations)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteAccount:
    """`users delete`."""

    sessions: Sessions
    native_logins: NativeLogins
    erasure: Erasure
    revoke: Callable[[Did, str, Deadline], Revocation | None]
    clock: Callable[[], float]
    username_hold: float
    pause: Callable[[float], object] = time.sleep

    def __call__(self, user: User, *, by: Operator | None = None) -> Deleted | None:
        """Delete an account; None if it is gone already. `by` None: by the person."""
        now = self.clock()
        sessions = self.sessions.of(user.did)
        held_until = now + self.username_hold
        mark = f"{MARK}{secrets.token_hex(4)}"
        while self.erasure.forget_events(user.did, mark=mark):
            self.pause(PAUSE)
        grants = self.erasure.erase(
            user,
            mark=mark,
            apps=deny_waiting_apps(self.native_logins, sessions, now),
            detail=by.as_detail() if by else {},
            held_until=held_until,
            now=now,
        )
        if grants is None:
            return None
        log.info("an account was deleted: %s in the audit", mark)
        return Deleted(
            username=user.username,
            mark=mark,
            held_until=held_until,
            sessions=len(sessions),
            grants=len(grants),
            revocations=self._revoke(user.did, grants),
        )

    def _revoke(self, did: Did, grants: Sequence[str]) -> Sequence[Revocation]:
        deadline, revoked = Deadline.after(REVOCATION_BUDGET), []
        for session_id in grants:
            if deadline.remaining() <= 0:
                break
            revoked.append(
                self.revoke(did, session_id, deadline.within(REVOCATION_LIMIT))
            )
        return [one for one in revoked if one is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A person who has left: the account was proved again at its host."""

    deleted: Deleted


@dataclass(frozen=True, slots=True, kw_only=True)
class LeavePlatform:
    """GET and POST /auth/account/leave: a person deletes their own account.

    Two steps, so that neither a slip nor a device that was left open deletes it: the
    username is typed, then the account is proved by a login of its own at its host.
    """

    sessions: Sessions
    users: Users
    delete: DeleteAccount

    def account(self, secret: str | None) -> tuple[Session, User]:
        """Return session and account of a session cookie, disabled accounts too.

        Raises:
            NotSignedIn: as `any_account_of` does.
        """
        return any_account_of(secret, sessions=self.sessions, users=self.users)

    def begin(self, secret: str | None, *, typed: str) -> Destination:
        """Return the login that proves the account; `typed` is its username.

        Raises:
            NotSignedIn: as `account` does.
            UsernameNotConfirmed: another name was typed.
        """
        _, user = self.account(secret)
        if typed.strip().lower() != user.username:
            raise UsernameNotConfirmed("another name than the username was typed")
        return Destination(
            identifier=user.did, prompt="login", return_to=PATH, leaving="yes"
        )

    def __call__(self, secret: str | None, *, proved: Did, sid: str) -> Left:
        """Delete the account that a login has just proved.

        The session that began the login (`sid`) has to be live, of the same account and
        of the same browser: a person who ends a stolen session also stops this.

        Raises:
            NotSignedIn: it is not, or the account is gone already.
        """
        session, user = self.account(secret)
        if session.sid != sid or session.did != proved:
            raise NotSignedIn("the session that began this is not of this account")
        deleted = self.delete(user)
        if deleted is None:
            raise NotSignedIn("the account is gone")
        return Left(deleted=deleted)
