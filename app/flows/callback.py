"""Finish a login: from the host's answer to a session of the platform.

Until the account is proved nothing is stored and no cookie is set; then the session is
new, whatever the browser held before (requirement 6.17).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from app.atproto.client import OAuthClient
from app.atproto.security import Deadline
from app.atproto.session import OAuthSession

from .destination import Destination
from .logout import EndSession
from .ports import Audit, Session, Sessions, Users
from .session import IssueToken, SignedIn

log = logging.getLogger(__name__)

CALLBACK_BUDGET = 7.0
"""Seconds for the exchange and the proof together (requirement 6.14)."""

REVOCATION_BUDGET = 2.5
"""Seconds for revoking what the callback leaves behind: an answer comes within ten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFinished:
    """A person is signed in; `secret` is for the session's own cookie."""

    signed_in: SignedIn
    secret: str = field(repr=False)
    issuer: str
    return_to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishLogin:
    """GET /auth/callback."""

    client: OAuthClient
    sessions: Sessions
    users: Users
    tokens: IssueToken
    ending: EndSession
    audit: Audit
    clock: Callable[[], float]
    session_lifetime: float

    def finish(
        self,
        parameters: Sequence[tuple[str, str]],
        *,
        bindings: Collection[str],
        device: str,
        replaces: str | None = None,
    ) -> LoginFinished:
        """Judge the answer, prove the account and sign the person in.

        `bindings` are the flow secrets this browser holds, `device` says what it is,
        `replaces` is the secret of the session it had before, which ends.

        Raises:
            AtprotoError: in one of its kinds; nothing was kept, no cookie is due.
            AccountDisabled: the platform has shut this account.
        """
        completed = self.client.callback(
            parameters, bindings=bindings, deadline=Deadline.after(CALLBACK_BUDGET)
        )
        destination = Destination.unpack(completed.app_state)
        secret = secrets.token_urlsafe(32)
        try:
            signed_in = self._sign_in(
                completed.session, destination, device=device, secret=secret
            )
        except BaseException:
            self._give_back(completed.session)
            raise
        self._replace(replaces)
        return LoginFinished(
            signed_in=signed_in,
            secret=secret,
            issuer=completed.session.issuer,
            return_to=destination.return_to,
        )

    def _sign_in(
        self,
        granted: OAuthSession,
        destination: Destination,
        *,
        device: str,
        secret: str,
    ) -> SignedIn:
        now = self.clock()
        user = self.users.get(granted.did)
        if user is not None:  # None too: a name that holds no longer is not shown
            self.users.set_handle(granted.did, granted.handle, now)
        session = Session(
            sid=secrets.token_urlsafe(16),
            did=granted.did,
            handle=granted.handle,
            oauth_session_id=granted.session_id,
            device=device,
            destination=None if user else destination.pack(),
            granted_scope=granted.scope,
            scope=granted.scope,
            created_at=now,
            seen_at=now,
            expires_at=now + self.session_lifetime,
        )
        signed_in = self.tokens.issue(session)
        self.sessions.add(session, secret=secret)
        self.audit.record("signed_in", now=now, did=session.did, sid=session.sid)
        log.info("login finished: %s from %s", granted.did, granted.issuer)
        return signed_in

    def _give_back(self, granted: OAuthSession) -> None:
        """Revoke a grant that leads to no session (requirement 6.15)."""
        self.client.revoke(
            granted.did,
            granted.session_id,
            deadline=Deadline.after(REVOCATION_BUDGET),
        )

    def _replace(self, secret: str | None) -> None:
        previous = self.sessions.by_secret(secret) if secret else None
        if previous is not None:
            self.ending.end(
                previous, reason="signed in again", budget=REVOCATION_BUDGET
            )
