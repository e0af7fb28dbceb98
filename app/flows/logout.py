"""Sign out: the session ends here at once, its grant at the host as soon as may be."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from app.atproto.client import OAuthClient
from app.atproto.security import Deadline
from app.tokens.errors import TokenError
from app.tokens.verifier import TokenVerifier

from .ports import Audit, Session, Sessions

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
        now = self.clock()
        if not self.sessions.end(session.sid, now):
            return None
        self.audit.record(
            "session_ended",
            now=now,
            did=session.did,
            sid=session.sid,
            detail={"reason": reason},
        )
        if session.oauth_session_id is None:
            return None
        return self.client.revoke(
            session.did,
            session.oauth_session_id,
            deadline=Deadline.after(budget),
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
