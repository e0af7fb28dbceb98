"""Sign out: the session ends here at once, its grant at the host as soon as may be."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

from app.atproto.client import OAuthClient
from app.atproto.http.client import Deadline
from app.tokens.errors import TokenError, TokenInvalid
from app.tokens.verifier import TokenVerifier

from .errors import NotSignedIn
from .ports import Audit, RateLimit, Session, Sessions
from .session import named_by

log = logging.getLogger(__name__)

REVOCATION_BUDGET = 6.0
"""Seconds for which a person who signs out waits for a slow host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSession:
    """End one session here and revoke its OAuth session at the host."""

    client: OAuthClient
    sessions: Sessions
    audit: Audit
    clock: Callable[[], float]

    def end(
        self, session: Session, *, reason: str, budget: float = REVOCATION_BUDGET
    ) -> str | None:
        """End the session; whatever the host answers changes nothing (7.19).

        `budget` is the seconds that the host gets. Returns the issuer that was asked to
        revoke its grant, if one was.
        """
        if not self._close(session, reason):
            return None
        return self._revoke(session, Deadline.after(budget))

    def end_all(self, sessions: Collection[Session], *, reason: str) -> int:
        """End several sessions at once, here first and all of them.

        The hosts are asked as long as a person waits; whatever is left then is revoked
        by the next sweep. Returns how many were live.
        """
        deadline = Deadline.after(REVOCATION_BUDGET)
        closed = [session for session in sessions if self._close(session, reason)]
        for session in closed:
            if deadline.remaining() <= 0:
                break
            self._revoke(session, deadline)
        return len(closed)

    def _close(self, session: Session, reason: str) -> bool:
        """End the session here; False when it was not live any more."""
        now = self.clock()
        if not self.sessions.end(session.sid, now):
            return False
        self.audit.record(
            "session_ended",
            now=now,
            did=session.did,
            sid=session.sid,
            detail={"reason": reason},
        )
        return True

    def _revoke(self, session: Session, deadline: Deadline) -> str | None:
        if session.oauth_session_id is None:
            return None
        return self.client.revoke(
            session.did, session.oauth_session_id, deadline=deadline
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Logout:
    """POST /auth/logout."""

    sessions: Sessions
    verifier: TokenVerifier
    ending: EndSession

    def logout(self, *, secret: str | None, token: str | None) -> str | None:
        """End the session that a browser's cookies name; signed out is no error.

        The session's own cookie names it, or the platform token when that one is gone.
        Returns the issuer that was asked to revoke its grant, if one was.
        """
        session = self.sessions.by_secret(secret) if secret else None
        session = session or self._named_by(token)
        return self.ending.end(session, reason="logout") if session else None

    def _named_by(self, token: str | None) -> Session | None:
        if not token:
            return None
        try:
            return self.sessions.get(self.verifier.verify(token).sid)
        except TokenError as error:
            log.info("signing out with a token that is none: %s", error)
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutByToken:
    """DELETE /auth/session: an app that holds nothing but its token signs out."""

    sessions: Sessions
    verifier: TokenVerifier
    ending: EndSession
    rates: RateLimit

    def logout(self, token: str | None, *, network: str) -> None:
        """End the session that a token names; whoever guesses is slowed down.

        Unlike a browser's, a sign-out that ends nothing is an error: nobody else tells
        the app that it holds the wrong token. A disabled account ends what it likes.

        Raises:
            NotSignedIn: no token, or its session has ended.
            TokenInvalid: not a token of ours, or not any more.
            TooManyRequests: too many tokens from this network were none.
        """
        try:
            named = named_by(token, verifier=self.verifier, sessions=self.sessions)
        except (NotSignedIn, TokenInvalid):
            self.rates.hit("token", network)
            raise
        self.ending.end(named.session, reason="logout by token")
