"""Finish a login: from the host's answer to a session of the platform.

Until the account is proved nothing is stored and no cookie is set; then the session is
new, whatever the browser held before (requirement 6.17). A login that an app awaits
leaves the browser as it is: its session is for the app, once its person says so.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from app.atproto.client import Completed, OAuthClient
from app.atproto.errors import AccessDenied
from app.atproto.http.client import Deadline
from app.atproto.records import OAuthSession
from app.atproto.scopes.scope import ScopeSet

from .destination import Destination, destination_of
from .errors import NativeLoginClosed
from .logout import EndSession
from .ports import Audit, NativeLogin, NativeLogins, Session, Sessions, User, Users
from .session import IssueToken, SignedIn

log = logging.getLogger(__name__)

CALLBACK_BUDGET = 7.0
"""Seconds for the exchange and the proof together (requirement 6.14)."""

REVOCATION_BUDGET = 2.5
"""Seconds for revoking what the callback leaves behind: an answer comes within ten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFinished:
    """An account is proved; `secret` is for the cookie of its session.

    `destination.native` names the app that awaits this login, if one does: then nobody
    is signed in before the person has let it in. `moved_from` is the issuer of the
    sign-in before this one, if that was another.
    """

    signed_in: SignedIn
    secret: str = field(repr=False)
    issuer: str
    destination: Destination
    moved_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeUpgradeSuperseded:
    """Another tab's upgrade came first; the session that it brought stays.

    This one was begun without what that one was granted, and an upgrade never narrows
    (8.10): its own grant is given back, and what is missing still may be asked for.
    """

    destination: Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishLogin:
    """GET /auth/callback."""

    client: OAuthClient
    sessions: Sessions
    users: Users
    native_logins: NativeLogins
    tokens: IssueToken
    ending: EndSession
    audit: Audit
    clock: Callable[[], float]
    session_lifetime: float

    def finish(
        self,
        parameters: Sequence[tuple[str, str]],
        *,
        browser_secrets: Collection[str],
        device: str,
        replaces: str | None = None,
    ) -> LoginFinished | ScopeUpgradeSuperseded:
        """Judge the answer, prove the account and sign the person in.

        `browser_secrets` are the flow secrets of this browser, `device` describes it,
        `replaces` is the secret of the session it had before, which ends.

        Raises:
            AtprotoError: in one of its kinds; nothing was kept, no cookie is due.
            AccountDisabled: the platform has shut this account.
            NativeLoginClosed: the app that began this login awaits it no longer.
        """
        completed = self._completed(parameters, browser_secrets)
        destination = Destination.unpack(completed.app_state)
        secret = secrets.token_urlsafe(32)
        try:
            previous = self.sessions.by_secret(replaces) if replaces else None
            if _narrows(previous, completed.session, destination):
                self._give_back(completed.session)
                return ScopeUpgradeSuperseded(destination=destination)
            known = self.users.get(completed.session.did)
            signed_in = self._enter(
                completed.session,
                destination,
                known=known,
                device=device,
                secret=secret,
            )
        except BaseException:
            self._give_back(completed.session)
            raise
        if previous is not None and not destination.native:
            self.ending.end(
                previous, reason="signed in again", budget=REVOCATION_BUDGET
            )
        return LoginFinished(
            signed_in=signed_in,
            secret=secret,
            issuer=completed.session.issuer,
            destination=destination,
            moved_from=_moved_from(known, completed.session),
        )

    def _completed(
        self, parameters: Sequence[tuple[str, str]], browser_secrets: Collection[str]
    ) -> Completed:
        try:
            return self.client.callback(
                parameters,
                browser_secrets=browser_secrets,
                deadline=Deadline.after(CALLBACK_BUDGET),
            )
        except AccessDenied as error:
            # A no at the host is a no to the app. Any other failure may be mended by
            # following the app's link again.
            if awaited := destination_of(error).native:
                self.native_logins.deny(awaited, self.clock())
            raise

    def _enter(
        self,
        granted: OAuthSession,
        destination: Destination,
        *,
        known: User | None,
        device: str,
        secret: str,
    ) -> SignedIn:
        if known is not None:  # None too: a name that holds no longer is not shown
            self.users.note_sign_in(
                granted.did,
                handle=granted.handle,
                issuer=_issuer_to_note(known, granted, destination),
                now=self.clock(),
            )
        session = self._session(granted, device)
        if destination.native:
            return self._hold(session, destination, secret=secret)
        if known is None:
            session = replace(session, destination=destination.pack())
        signed_in = self.tokens.issue(session)
        self.sessions.add(session, secret=secret)
        self.audit.record(
            "signed_in", now=session.created_at, did=session.did, sid=session.sid
        )
        log.info("login finished: %s from %s", granted.did, granted.issuer)
        return signed_in

    def _hold(
        self, session: Session, destination: Destination, *, secret: str
    ) -> SignedIn:
        """Keep the session for an app, until its person lets it in or time is up."""
        login = self._awaited(destination.native)
        held = replace(
            session,
            device=login.app_name,
            app_name=login.app_name,
            destination=destination.pack(),
            expires_at=login.expires_at,
        )
        signed_in = self.tokens.account(held)
        self.sessions.add(held, secret=secret)
        log.info("native login %s: %s is proved", login.user_code, held.did)
        return signed_in

    def _awaited(self, login_id: str) -> NativeLogin:
        login = self.native_logins.get(login_id)
        if login is None or not login.is_open(self.clock()):
            raise NativeLoginClosed("no app awaits this login any more")
        return login

    def _session(self, granted: OAuthSession, device: str) -> Session:
        now = self.clock()
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
            expires_at=now + self.session_lifetime,
        )

    def _give_back(self, granted: OAuthSession) -> None:
        """Revoke a grant that leads to no session (requirement 6.15)."""
        self.client.revoke(
            granted.did,
            granted.session_id,
            deadline=Deadline.after(REVOCATION_BUDGET),
        )


def _narrows(
    previous: Session | None, granted: OAuthSession, destination: Destination
) -> bool:
    """Tell whether an upgrade would take away what another one has brought since.

    What its own session had and its person has just left out is left out (8.8).
    """
    if previous is None or previous.scope is None or previous.did != granted.did:
        return False
    if destination.upgrades in {"", previous.sid}:
        return False
    return bool(ScopeSet.parse(granted.scope).missing(previous.scope))


def _issuer_to_note(
    known: User, granted: OAuthSession, destination: Destination
) -> str:
    """Return who spoke last; an app's login tells of no move, so it notes none."""
    if destination.native and known.issuer is not None:
        return known.issuer
    return granted.issuer


def _moved_from(known: User | None, granted: OAuthSession) -> str | None:
    """Return who spoke for the account last time, unless nobody else did (7.16)."""
    if known is None or known.issuer == granted.issuer:
        return None
    return known.issuer
