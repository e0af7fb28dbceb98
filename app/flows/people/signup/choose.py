"""Sign up: a newcomer picks a username, once for each DID.

Needs a session whose DID was proved at the callback. Two people who want one name race
in the database, which gives it to the first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from app.atproto.http.types import Deadline
from app.flows.errors import (
    InvitationEnded,
    NativeLoginClosed,
    NotAMember,
    NotSignedIn,
    SignupFinished,
)
from app.flows.limits.networks import hit_networks, network_of
from app.flows.login.destination import Destination
from app.flows.people.profiles import NoteProfile
from app.flows.people.sessions import deny_waiting_apps
from app.flows.ports import (
    Audit,
    NativeLogins,
    RateLimit,
    Session,
    Sessions,
    User,
    Users,
)
from app.flows.sessions.logout import EndSession
from app.flows.sessions.session import IssueToken, SignedIn
from app.telemetry.context import bind

from .admission import Admission
from .usernames import Usernames

log = logging.getLogger(__name__)

LOOK_UP_BUDGET = 7.0
"""Seconds for the look-up of a newcomer's handle."""

REVOCATION_BUDGET = 2.5
"""Seconds for revoking the grant of a newcomer who is refused after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """A proved account without a username, and a suggestion for one."""

    session: Session
    suggestion: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignupDone:
    """The newcomer has an account now; `destination` is where the login leads."""

    signed_in: SignedIn
    destination: Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class ChooseUsername:
    """GET and POST /auth/signup."""

    sessions: Sessions
    users: Users
    usernames: Usernames
    admission: Admission
    native_logins: NativeLogins
    ending: EndSession
    note_profile: NoteProfile
    limits: RateLimit
    tokens: IssueToken
    audit: Audit
    clock: Callable[[], float]
    session_lifetime: float

    def newcomer(self, secret: str | None, *, native: str = "") -> Newcomer:
        """Return the session and a username that is free now.

        `native` is the id of an app's login, if the sign-up is part of one.

        Raises:
            NotSignedIn: no live session; the DID has to be proved first.
            NativeLoginClosed: no session is held for this app's login.
            SignupFinished: this account has a username already.
        """
        session = self._session(secret, native)
        if self.users.get(session.did) is not None:
            raise SignupFinished(session.did)
        return Newcomer(
            session=session,
            suggestion=self.usernames.suggest(session.handle, self.users.taken),
        )

    def lead_to(self, secret: str | None, return_to: str) -> None:
        """Have the sign-up lead to another place than its login was for.

        Raises:
            NotSignedIn: no live session.
        """
        session = self._session(secret, "")
        destination = Destination.unpack(session.destination)
        packed = replace(destination, return_to=return_to).pack()
        if packed != session.destination:
            self.sessions.lead_to(session.sid, packed)

    def choose(
        self,
        secret: str | None,
        typed: str,
        *,
        address: str,
        native: str = "",
        invitation: str | None = None,
    ) -> SignupDone:
        """Create the account and issue its first token.

        A repeated call of the same person returns the account that exists.
        `invitation` is the secret of an invitation whose link the browser opened.
        `address` is the client's, for the rate limit of look-ups.

        Raises:
            NotSignedIn, NativeLoginClosed: as `newcomer` does.
            TooManyRequests: the limit of this address is reached.
            UsernameInvalid, UsernameReserved, UsernameTaken: choose another.
            NotAMember: SIGNUP_ALLOW does not let this account sign up; its session has
                ended, and the app that waits for it is denied.
            InvitationEnded: another newcomer has just used the invitation up.
            AtprotoError: the handle decides, and its look-up failed.
        """
        session = self._session(secret, native)
        destination = Destination.unpack(session.destination)
        if self.users.get(session.did) is None:
            if self.admission.rule.asks_for_handle:
                hit_networks(self.limits, "address", network_of(address))
            try:
                self._add(session, typed, invitation)
            except (InvitationEnded, NotAMember) as refused:
                refused.return_to = destination.return_to
                raise
        if destination.native:  # the confirmation comes next
            signed_in = self.tokens.account(session)
        else:
            signed_in = self.tokens.issue(self._finished(session))
        return SignupDone(signed_in=signed_in, destination=destination)

    def _add(self, session: Session, typed: str, invitation: str | None) -> None:
        name = self.usernames.parse(typed)
        used = self._judge(session, invitation)
        now = self.clock()
        user = User(
            did=session.did,
            handle=session.handle,
            username=name.username,
            created_at=now,
            handle_checked_at=now,
            issuer=session.issuer,
        )
        self.users.add(user, skeleton=name.skeleton, invitation=used)
        self.audit.record("signed_up", now=now, did=session.did, sid=session.sid)
        self.note_profile(session)
        log.info("%s signed up", session.did)

    def _judge(self, session: Session, invitation: str | None) -> str | None:
        """Return the invitation that the sign-up uses up, or None if it needs none."""
        try:
            return self.admission.judge(
                session.did,
                invitation=invitation,
                deadline=Deadline.after(LOOK_UP_BUDGET),
            )
        except NotAMember as refused:
            apps = deny_waiting_apps(self.native_logins, [session], self.clock())
            refused.for_app = bool(apps)
            self.ending.end(session, reason="not a member", budget=REVOCATION_BUDGET)
            raise

    def _finished(self, session: Session) -> Session:
        if session.pending_for is None:  # a repeated call
            return session
        expires_at = self.clock() + self.session_lifetime
        self.sessions.finish_signup(session.sid, expires_at=expires_at)
        return replace(
            session, pending_for=None, destination=None, expires_at=expires_at
        )

    def _session(self, secret: str | None, native: str) -> Session:
        session = self.sessions.by_secret(secret) if secret else None
        held_for = Destination.unpack(session.destination).native if session else ""
        if session is not None and held_for == native:
            bind(login_id=session.login_id or "", did=session.did, sid=session.sid)
            return session
        if native:
            raise NativeLoginClosed("no session is held for this login")
        raise NotSignedIn("sign-up needs a proved account")
