"""The sign-in session: one person on one device, and the tokens it gives out.

The session outlives the platform token and renews it without a visit to the person's
host. Ending it is what signing out means.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from app.tokens.issuer import TokenIssuer
from app.tokens.verifier import TokenVerifier, VerifiedClaims

from .destination import awaited_by
from .errors import AccountDisabled, NotSignedIn
from .ports import Session, Sessions, User, Users

NOTED_EVERY = 600
"""Seconds: reading who somebody is shall not mean a write each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A live session and its account, with a fresh token for the browser it is in.

    A newcomer has no account yet; a session that an app awaits gives no browser a
    token.
    """

    session: Session
    user: User | None
    token: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueToken:
    """Mint the platform token of a session."""

    users: Users
    issuer: TokenIssuer

    def account(self, session: Session) -> SignedIn:
        """Return whose session it is, without a token.

        Raises:
            AccountDisabled: the platform has shut this account.
        """
        user = self.users.get(session.did)
        if user is not None and user.disabled_at is not None:
            raise AccountDisabled(user.did)
        return SignedIn(session=session, user=user, token=None)

    def issue(self, session: Session) -> SignedIn:
        """Return the session with its token; a newcomer has none yet.

        Raises:
            AccountDisabled: the platform has shut this account.
        """
        user = self.account(session).user
        if user is None:
            return SignedIn(session=session, user=None, token=None)
        token = self.issuer.issue(
            did=user.did, sid=session.sid, handle=user.handle, username=user.username
        )
        return SignedIn(session=session, user=user, token=token)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewToken:
    """A fresh token for a session that lives (GET /auth/login)."""

    sessions: Sessions
    tokens: IssueToken
    clock: Callable[[], float]

    def __call__(self, secret: str | None) -> SignedIn | None:
        """Return the session behind a cookie's secret with a fresh token, or None.

        Raises:
            AccountDisabled: the platform has shut this account.
        """
        session = self.sessions.by_secret(secret) if secret else None
        if session is None or awaited_by(session):  # an app's is no browser's
            return None
        self.sessions.touch(session.sid, self.clock())
        return self.tokens.issue(session)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """Whom a platform token names, and the session that still stands behind it."""

    claims: VerifiedClaims
    session: Session


def named_by(
    token: str | None, *, verifier: TokenVerifier, sessions: Sessions
) -> Identified:
    """Return whom a platform token names, if its session still lives.

    Raises:
        NotSignedIn: no token, or its session is unknown or ended.
        TokenInvalid: not a token of ours, or not any more.
    """
    if not token:
        raise NotSignedIn("no token")
    claims = verifier.verify(token)
    session = sessions.get(claims.sid)
    if session is None or session.did != claims.did:
        raise NotSignedIn("the session has ended")
    return Identified(claims=claims, session=session)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identify:
    """GET /auth/session."""

    verifier: TokenVerifier
    sessions: Sessions
    users: Users
    clock: Callable[[], float]

    def __call__(self, token: str | None) -> Identified:
        """Return who a platform token names, if its session still lives.

        Raises:
            NotSignedIn: no token, or its session is unknown or ended.
            TokenInvalid: not a token of ours, or not any more.
            AccountDisabled: the platform has shut this account.
        """
        named = named_by(token, verifier=self.verifier, sessions=self.sessions)
        user = self.users.get(named.claims.did)
        if user is None:
            raise NotSignedIn("the account is gone")
        if user.disabled_at is not None:
            raise AccountDisabled(user.did)
        self._note_use(named.session)
        return named

    def _note_use(self, session: Session) -> None:
        """Keep "last used" true for apps as well, which never renew by a cookie."""
        now = self.clock()
        if now - session.seen_at >= NOTED_EVERY:
            self.sessions.touch(session.sid, now)
