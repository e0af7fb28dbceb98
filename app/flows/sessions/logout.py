"""Sign out: end the session here at once, then revoke its grant at the host."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

from app.atproto.client import OAuthClient, Revocation
from app.atproto.http.client import Deadline
from app.atproto.syntax.grammar import Did
from app.flows.errors import NotSignedIn
from app.flows.limits.networks import hit_networks
from app.flows.ports import Audit, RateLimit, Session, Sessions
from app.telemetry.context import bind
from app.tokens.errors import TokenError, TokenInvalid
from app.tokens.verifier import TokenVerifier

from .session import named_by

log = logging.getLogger(__name__)

REVOCATION_BUDGET = 6.0
"""Seconds for which a sign-out waits for a slow host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSession:
    """End one session here and revoke its OAuth session at the host."""

    client: OAuthClient
    sessions: Sessions
    audit: Audit
    clock: Callable[[], float]

    def end(
        self,
        session: Session,
        *,
        reason: str,
        budget: float = REVOCATION_BUDGET,
        **detail: object,
    ) -> Revocation | None:
        """End the session, whether or not the host revokes (requirement 7.19).

        `budget` is in seconds, for the host; `detail` joins the audit event. The sweep
        tries again for a day if the host does not answer.
        Returns whether the host was asked to revoke the grant; None if there was no
        live session or no grant.
        """
        if not self._close(session.did, session.sid, reason=reason, **detail):
            return None
        return self._revoke(session, Deadline.after(budget))

    def end_here(self, session: Session, *, reason: str) -> None:
        """End the session without asking its host; the next sweep revokes its grant."""
        self._close(session.did, session.sid, reason=reason)

    def end_all(self, sessions: Collection[Session], **detail: object) -> int:
        """End several sessions, first all of them here, and return how many were live.

        `detail` says why or by whom, for the audit. Revocation stops after
        REVOCATION_BUDGET; the next sweep revokes the rest.
        """
        deadline = Deadline.after(REVOCATION_BUDGET)
        closed = [s for s in sessions if self._close(s.did, s.sid, **detail)]
        for session in closed:
            if deadline.remaining() <= 0:
                break
            self._revoke(session, deadline)
        return len(closed)

    def end_beyond(self, did: Did, most: int) -> None:
        """End the account's sessions after the `most` that were used last.

        The next sweep revokes their grants, so that no sign-in waits for them.
        """
        for sid in self.sessions.beyond(did, most):
            self._close(did, sid, reason="too many sessions")

    def _close(self, did: Did, sid: str, **detail: object) -> bool:
        """End the session here; False if it was not live."""
        now = self.clock()
        if not self.sessions.end(sid, now):
            return False
        self.audit.record("session_ended", now=now, did=did, sid=sid, detail=detail)
        return True

    def _revoke(self, session: Session, deadline: Deadline) -> Revocation | None:
        if session.oauth_session_id is None:
            return None
        return self.client.revoke(
            session.did,
            session.oauth_session_id,
            deadline=deadline,
            keep_unanswered=True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Logout:
    """POST /auth/logout."""

    sessions: Sessions
    verifier: TokenVerifier
    ending: EndSession

    def __call__(self, *, secret: str | None, token: str | None) -> Revocation | None:
        """End the session of a browser; no error if there is none.

        `secret` is from the session cookie; without it the platform token's `sid`
        names the session. Returns what `EndSession.end` returns.
        """
        session = self.sessions.by_secret(secret) if secret else None
        session = session or self._named_by(token)
        if session is None:
            return None
        bind(did=session.did, sid=session.sid)
        return self.ending.end(session, reason="logout")

    def _named_by(self, token: str | None) -> Session | None:
        if not token:
            return None
        try:
            return self.sessions.get(self.verifier.verify(token).sid)
        except TokenError as error:
            log.info("sign-out with an invalid token: %s", error)
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutByToken:
    """DELETE /auth/session: a native app signs out with its token."""

    sessions: Sessions
    verifier: TokenVerifier
    ending: EndSession
    rates: RateLimit

    def __call__(self, token: str | None, *, network: str) -> None:
        """End the session of a token; invalid tokens count against the network.

        A session that has ended is an error here, so that an app learns that its token
        is the wrong one. Disabled accounts may sign out.

        Raises:
            NotSignedIn: no token, or its session has ended.
            TokenInvalid: not a token of this platform, or expired.
            TooManyRequests: too many invalid tokens from this network.
        """
        try:
            named = named_by(token, verifier=self.verifier, sessions=self.sessions)
        except (NotSignedIn, TokenInvalid):
            hit_networks(self.rates, "token", network)
            raise
        self.ending.end(named.session, reason="logout by token")
