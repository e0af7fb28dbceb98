"""Sign a browser in: a new session for an account that was just proved.

The session is new for any cookie that the browser held, against session fixation
(requirement 6.17).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from app.atproto.records import OAuthSession
from app.flows.login.destination import Destination
from app.flows.ports import Audit, Sessions, Together, User, Users
from app.flows.sessions.session import IssueToken, SignedIn, new_session
from app.telemetry.context import bind

log = logging.getLogger(__name__)

NEWCOMER_LIFETIME = 3_600.0
"""Seconds in which a newcomer picks a username. Then the session ends, and the sweep
revokes its grant: anyone with a server of their own can make newcomers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """A browser that is signed in, or a newcomer who picks a username first."""

    signed_in: SignedIn
    secret: str = field(repr=False)
    moved_from: str | None
    """The issuer of the sign-in before this one, if it was another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """Create the session of a browser."""

    sessions: Sessions
    users: Users
    tokens: IssueToken
    audit: Audit
    together: Together
    clock: Callable[[], float]
    session_lifetime: float

    def __call__(
        self, granted: OAuthSession, destination: Destination, *, device: str
    ) -> Entered:
        """Store a session for the grant and return it with a platform token.

        A newcomer has no token yet: the session waits for the sign-up.

        Raises:
            AccountDisabled: the platform has disabled this account.
        """
        now, secret = self.clock(), secrets.token_urlsafe(32)
        user = self.users.get(granted.did)
        session = new_session(
            granted, device=device, now=now, lifetime=self.session_lifetime
        )
        if user is None:
            session = replace(
                session,
                pending_for="signup",
                destination=destination.pack(),
                expires_at=now + min(NEWCOMER_LIFETIME, self.session_lifetime),
            )
            signed_in = SignedIn(session=session, user=None, token=None)
        else:  # also with no handle: a handle that no longer holds is not shown
            user_now = replace(user, handle=granted.handle, handle_checked_at=now)
            signed_in = self.tokens.issue_to(user_now, session)
        bind(did=session.did, sid=session.sid)
        self._store(signed_in, granted, secret=secret, now=now)
        log.info("login finished: %s from %s", granted.did, granted.issuer)
        return Entered(
            signed_in=signed_in, secret=secret, moved_from=_moved_from(user, granted)
        )

    def _store(
        self, signed_in: SignedIn, granted: OAuthSession, *, secret: str, now: float
    ) -> None:
        session = signed_in.session
        with self.together():
            if signed_in.user is not None:
                self.users.note_sign_in(
                    granted.did, handle=granted.handle, issuer=granted.issuer, now=now
                )
            self.sessions.add(session, secret=secret)
            self.audit.record("signed_in", now=now, did=session.did, sid=session.sid)


def _moved_from(user: User | None, granted: OAuthSession) -> str | None:
    if user is None or user.issuer == granted.issuer:
        return None
    return user.issuer
