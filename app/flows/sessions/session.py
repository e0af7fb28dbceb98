"""The sign-in session of one person on one device, and its platform tokens.

The session outlives the platform token and renews it without a visit to the person's
host. Signing out ends it.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from app.atproto.records import OAuthSession
from app.flows.errors import AccountDisabled, NotSignedIn, StorageFailed
from app.flows.ports import Session, Sessions, User, Users
from app.telemetry.context import bind, login_id_here
from app.tokens.errors import TokenInvalid
from app.tokens.issuer import IssuedToken, TokenIssuer
from app.tokens.verifier import TokenVerifier, VerifiedClaims

from .standing import Standings

log = logging.getLogger(__name__)

SEEN_INTERVAL = 600
"""Seconds for which `seen_at` is not written again."""


def new_session(
    granted: OAuthSession, *, device: str, now: float, lifetime: float
) -> Session:
    """Return a session for an account that was just proved; it is not stored yet."""
    return Session(
        sid=secrets.token_urlsafe(16),
        did=granted.did,
        handle=granted.handle,
        oauth_session_id=granted.session_id,
        device=device,
        granted_scope=granted.scope,
        scope=granted.scope,
        issuer=granted.issuer,
        created_at=now,
        seen_at=now,
        expires_at=now + lifetime,
        login_id=login_id_here() or None,
    )


def note_use(sessions: Sessions, sid: str, now: float) -> None:
    """Set `seen_at`, best effort: a full disk does not fail the request."""
    try:
        sessions.touch(sid, now)
    except StorageFailed as error:
        log.info("the use of a session is not noted: %s", error)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A live session, its account, and a fresh token for the browser it is in.

    A newcomer has no account yet. A session that an app waits for has no token.
    """

    session: Session
    user: User | None
    token: str | None = field(repr=False)
    issued: IssuedToken | None = None
    """The same token with its times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueToken:
    """Issue the platform token of a session."""

    users: Users
    issuer: TokenIssuer

    def account(self, session: Session) -> SignedIn:
        """Return the session with its account, without a token.

        Raises:
            AccountDisabled: the platform has disabled this account.
        """
        user = self.users.get(session.did)
        if user is not None and user.disabled_at is not None:
            raise AccountDisabled(user.did)
        return SignedIn(session=session, user=user, token=None)

    def issue(self, session: Session) -> SignedIn:
        """Return the session with its token; a newcomer has none yet.

        Raises:
            AccountDisabled: the platform has disabled this account.
        """
        user = self.account(session).user
        if user is None:
            return SignedIn(session=session, user=None, token=None)
        return self.issue_to(user, session)

    def issue_to(self, user: User, session: Session) -> SignedIn:
        """Return the session with its token for an account that was just read.

        Raises:
            AccountDisabled: the platform has disabled this account.
        """
        if user.disabled_at is not None:
            raise AccountDisabled(user.did)
        issued = self.issuer.issue(
            did=user.did, sid=session.sid, handle=user.handle, username=user.username
        )
        return SignedIn(session=session, user=user, token=issued.text, issued=issued)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewToken:
    """Issue a fresh token for a live session (GET /auth/login)."""

    sessions: Sessions
    tokens: IssueToken
    clock: Callable[[], float]

    def __call__(self, secret: str | None) -> SignedIn | None:
        """Return the session of a cookie's secret with a fresh token, or None.

        Raises:
            AccountDisabled: the platform has disabled this account.
        """
        session = self.sessions.by_secret(secret) if secret else None
        if session is None or session.pending_for == "native":
            return None
        bind(did=session.did, sid=session.sid)
        note_use(self.sessions, session.sid, self.clock())
        return self.tokens.issue(session)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """The claims of a platform token, and the live session that its `sid` names."""

    claims: VerifiedClaims
    session: Session
    groups: tuple[str, ...] = ()
    """Names of the account's groups, sorted."""


def named_by(
    token: str | None, *, verifier: TokenVerifier, sessions: Sessions
) -> Identified:
    """Return the claims of a platform token and its live session.

    Raises:
        NotSignedIn: no token, or its session is unknown or ended.
        TokenInvalid: not a token of this platform, or expired.
    """
    claims = _claims_of(token, verifier)
    session = sessions.get(claims.sid)
    if session is None or session.did != claims.did:
        raise NotSignedIn("the session has ended")
    return Identified(claims=claims, session=session)


def _claims_of(token: str | None, verifier: TokenVerifier) -> VerifiedClaims:
    if not token:
        raise NotSignedIn("no token")
    claims = verifier.verify(token)
    bind(did=claims.did, sid=claims.sid)
    return claims


@dataclass(frozen=True, slots=True, kw_only=True)
class Identify:
    """GET /auth/session."""

    verifier: TokenVerifier
    standings: Standings
    sessions: Sessions
    clock: Callable[[], float]

    def __call__(self, token: str | None) -> Identified:
        """Return the claims of a platform token and its live session.

        Raises:
            NotSignedIn: no token, its session has ended, or the account is gone.
            TokenInvalid: not a token of this platform, or expired.
            AccountDisabled: the platform has disabled this account.
        """
        return self._named_by(_claims_of(token, self.verifier))

    def again(self, claims: VerifiedClaims) -> Identified:
        """Return what a token that was verified before names now; raises as the call.

        The caller knows that the keys are still those that it was verified with.
        """
        self.verifier.check_expiry(claims)
        bind(did=claims.did, sid=claims.sid)
        return self._named_by(claims)

    def _named_by(self, claims: VerifiedClaims) -> Identified:
        standing = self.standings.of(claims.sid)
        if standing is None or standing.session.did != claims.did:
            raise NotSignedIn("the session has ended")
        if not standing.has_account:
            raise NotSignedIn("the account is gone")
        if standing.is_disabled:
            raise AccountDisabled(claims.did)
        self._note_use(standing.session)
        return Identified(
            claims=claims, session=standing.session, groups=standing.groups
        )

    def issued_for(self, secret: str, tokens: Collection[str]) -> list[str]:
        """Return the tokens that name the session of a cookie's secret.

        None of them while the database does not answer: they are tokens of a cookie
        that another host of the domain may have set.
        """
        try:
            session = self.sessions.by_secret(secret)
        except StorageFailed as error:
            log.warning("cookies of the former name are not used: %s", error)
            session = None
        sid = session.sid if session else None
        return [token for token in tokens if sid and self._sid_of(token) == sid]

    def _sid_of(self, token: str) -> str | None:
        try:
            return self.verifier.verify(token).sid
        except TokenInvalid:
            return None

    def first_of(self, tokens: Collection[str]) -> Identified:
        """Return what the first valid one of several tokens names.

        Raises what the call raises for the last token.
        """
        error: NotSignedIn | TokenInvalid = NotSignedIn("no token")
        for token in tokens:
            try:
                return self(token)
            except (NotSignedIn, TokenInvalid) as refused:
                error = refused
        raise error

    def _note_use(self, session: Session) -> None:
        """Note the use of a session by an app, which does not renew by cookie."""
        now = self.clock()
        if now - session.seen_at >= SEEN_INTERVAL:
            note_use(self.sessions, session.sid, now)
