"""A newcomer picks a username: once for each DID, first come first served.

Only a session whose DID was proved gets here. It lasts as any session does, so leaving
the page loses nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from .destination import Destination
from .errors import NativeLoginClosed, NotSignedIn, SignupFinished
from .ports import Audit, Session, Sessions, User, Users
from .session import IssueToken, SignedIn
from .usernames import Usernames

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """A proved account that has no username yet, and one to suggest to it."""

    session: Session
    suggestion: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignupDone:
    """The newcomer is a user now, and goes on to what the login was for."""

    signed_in: SignedIn
    destination: Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class ChooseUsername:
    """GET and POST /auth/signup."""

    sessions: Sessions
    users: Users
    usernames: Usernames
    tokens: IssueToken
    audit: Audit
    clock: Callable[[], float]

    def newcomer(self, secret: str | None, *, native: str = "") -> Newcomer:
        """Return who is about to choose, with a name that is free right now.

        `native` is the login of an app, if this is for one.

        Raises:
            NotSignedIn: no live session: the DID has to be proved first.
            NativeLoginClosed: the same, of an app's login.
            SignupFinished: this person has a username already.
        """
        session = self._session(secret, native)
        if self.users.get(session.did) is not None:
            raise SignupFinished(session.did)
        return Newcomer(
            session=session,
            suggestion=self.usernames.suggest(session.handle, self.users.taken),
        )

    def choose(self, secret: str | None, typed: str, *, native: str = "") -> SignupDone:
        """Create the account under this username and issue its first token.

        The database decides a race: one person gets the name. A second try of the same
        person is answered like the first.

        Raises:
            NotSignedIn, NativeLoginClosed: as `newcomer` does.
            UsernameInvalid, UsernameReserved, UsernameTaken: choose another.
        """
        session = self._session(secret, native)
        destination = _destination_of(session)
        existing = self.users.get(session.did)
        if existing is None:
            existing = self._add(session, typed)
        if destination.native:  # what is still to come: the question about the app
            signed_in = self.tokens.account(session)
        else:
            self.sessions.finish_signup(session.sid)
            signed_in = self.tokens.issue(session)
        return SignupDone(signed_in=signed_in, destination=destination)

    def _add(self, session: Session, typed: str) -> User:
        name = self.usernames.parse(typed)
        now = self.clock()
        user = User(
            did=session.did,
            handle=session.handle,
            username=name.username,
            created_at=now,
            handle_checked_at=now,
            issuer=session.issuer,
        )
        added = self.users.add(user, skeleton=name.skeleton)
        self.audit.record("signed_up", now=now, did=session.did, sid=session.sid)
        log.info("%s signed up", session.did)
        return added

    def _session(self, secret: str | None, native: str) -> Session:
        session = self.sessions.by_secret(secret) if secret else None
        if session is not None and _destination_of(session).native == native:
            return session
        if native:
            raise NativeLoginClosed("sign-up for an app that waits no longer")
        raise NotSignedIn("sign-up needs a proved account")


def _destination_of(session: Session) -> Destination:
    if session.destination is None:
        return Destination(return_to="")
    return Destination.unpack(session.destination)
