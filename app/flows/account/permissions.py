"""Take back a permission of a session's grant.

ATProto OAuth has no way to take one permission from a grant, so the whole grant is
revoked and what is left is asked for again (requirement 8.10). Without the person's
visit to their host the platform then has no access at all, which is the safe side.
The session lets go of the grant first, so the sweep revokes it when the host is down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.atproto.client import OAuthClient, Revocation
from app.atproto.http.client import Deadline
from app.atproto.scopes.scope import ATPROTO
from app.flows.ports import Audit, Session, Sessions, Users
from app.flows.sessions.signed_in import account_of

REVOCATION_BUDGET = 6.0
"""Seconds for which the person waits for a slow host."""

MOST_TRIES = 5
"""Tries of a change that other windows of the same person make at the same moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """A permission that was taken back; `remaining` is what may be asked for again."""

    session: Session
    remaining: str
    is_here: bool
    """Whether the session is that of the browser which asked."""
    revocation: Revocation | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawPermission:
    """POST /auth/account/permissions."""

    sessions: Sessions
    users: Users
    client: OAuthClient
    audit: Audit
    clock: Callable[[], float]

    def __call__(self, secret: str | None, *, sid: str, word: str) -> Withdrawn | None:
        """Take a word of its scope from one of the person's sessions.

        Returns None if the session is not one of theirs, or has no such permission.

        Raises:
            NotSignedIn, AccountDisabled: as `account_of` does.
        """
        here, user = account_of(secret, sessions=self.sessions, users=self.users)
        narrowed = self._narrow(here, sid, word)
        if narrowed is None:
            return None
        session, remaining = narrowed
        revocation = None
        if session.oauth_session_id is not None:
            revocation = self.client.revoke(
                user.did,
                session.oauth_session_id,
                deadline=Deadline.after(REVOCATION_BUDGET),
                keep_unanswered=True,
            )
        self.audit.record(
            "permission_withdrawn",
            now=self.clock(),
            did=user.did,
            sid=sid,
            detail={"permission": word},
        )
        return Withdrawn(
            session=session,
            remaining=remaining,
            is_here=sid == here.sid,
            revocation=revocation,
        )

    def _narrow(self, here: Session, sid: str, word: str) -> tuple[Session, str] | None:
        """Take the word from `granted_scope`, so that no later login asks for it."""
        for _ in range(MOST_TRIES):
            session = self.sessions.get(sid)
            if session is None or session.did != here.did or word == ATPROTO:
                return None
            words = (session.scope or session.granted_scope or "").split()
            kept = (session.granted_scope or session.scope or "").split()
            if word not in {*words, *kept}:
                return None
            remaining = " ".join(each for each in kept if each != word)
            if self.sessions.narrow(
                sid, former=session.granted_scope, granted=remaining
            ):
                return session, remaining
        return None
