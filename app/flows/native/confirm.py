"""Confirm a native login: GET /auth/native/open, then /auth/native/confirm.

The person who follows the app's link proves an account, and then says whether the app
is theirs. Without that question, an attacker could send a link of their own app to a
victim and be signed in as the victim; the page shows the code of the app to compare.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from app.flows.errors import NativeLoginClosed
from app.flows.login.destination import Destination
from app.flows.login.start import LoginStarted, StartLogin
from app.flows.ports import Audit, NativeLogin, NativeLogins, Session, Sessions, User
from app.flows.sessions.logout import EndSession
from app.flows.sessions.session import IssueToken
from app.telemetry.context import bind, bind_login
from app.telemetry.events import NativeLoginStep, Observer, ignore

log = logging.getLogger(__name__)

PUSHED_LIFETIME = 60
"""Seconds for which a pushed authorization request is used; servers keep them for a few
minutes at most (RFC 9126 section 2.2)."""

REVOCATION_BUDGET = 2.5
"""Seconds for revoking the grant of an app that was denied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenNativeLogin:
    """GET /auth/native/open."""

    logins: NativeLogins
    starting: StartLogin
    clock: Callable[[], float]

    def __call__(
        self, secret: str, *, address: str, ui_locales: str = ""
    ) -> LoginStarted:
        """Return the authorization URL and the flow's secret (requirement 9.12).

        The first visit uses the request that was pushed when the app started. A
        request is used once, so each later visit pushes another.

        Raises:
            NativeLoginClosed: unknown, decided already, or expired.
            FlowError, AtprotoError: as `StartLogin` does.
        """
        bind_login(secret)
        login = self.logins.by_open_secret(secret)
        now = self.clock()
        if login is None or not login.is_open(now):
            raise NativeLoginClosed("the link is unknown, used or expired")
        is_first = self.logins.open(login.login_id, now)
        if is_first and now < login.created_at + PUSHED_LIFETIME:
            return LoginStarted(
                url=login.authorization_url, state=login.state, secret=secret
            )
        destination = Destination(identifier=login.identifier, native=login.login_id)
        return self.starting(
            destination, address=address, secret=secret, ui_locales=ui_locales
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DenyByFlow:
    """A browser that comes back from its host without an answer (no error, no state).

    Some hosts answer a denial with a redirect to `client_uri` alone. The secret of an
    app's link is the flow secret of its browser, so the cookie names the login.
    """

    logins: NativeLogins
    clock: Callable[[], float]

    def __call__(self, secrets: Collection[str]) -> bool:
        """Deny the open native logins of these flow secrets; True if there was one."""
        now = self.clock()
        found = [self.logins.by_open_secret(secret) for secret in secrets]
        for login in found:
            bind(login_id=login.log_id if login else "")
        denied = [self.logins.deny(login.login_id, now) for login in found if login]
        return any(denied)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppQuestion:
    """The question whether the person allows the app."""

    login: NativeLogin
    session: Session
    user: User | None
    """None for a newcomer, who picks a username first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmNativeLogin:
    """GET and POST /auth/native/confirm."""

    logins: NativeLogins
    sessions: Sessions
    tokens: IssueToken
    ending: EndSession
    audit: Audit
    clock: Callable[[], float]
    session_lifetime: float
    observe: Observer = ignore

    def question(self, login_id: str, secret: str) -> AppQuestion:
        """Return the question for the confirmation page.

        `login_id` and `secret` are in the cookie that the callback set.

        Raises:
            NativeLoginClosed: decided already, expired, or not this browser's.
            AccountDisabled: the platform has disabled this account.
        """
        login = self.logins.get(login_id)
        session = self.sessions.by_secret(secret)
        if login is None or session is None or not login.is_open(self.clock()):
            raise NativeLoginClosed("the login is decided or expired")
        if Destination.unpack(session.destination).native != login_id:
            raise NativeLoginClosed("the session is not for this login")
        bind(login_id=login.log_id, did=session.did, sid=session.sid)
        user = self.tokens.account(session).user
        return AppQuestion(login=login, session=session, user=user)

    def allow(self, login_id: str, secret: str) -> NativeLogin:
        """Allow the app and return the decided login; repeated calls return it again.

        Raises:
            NativeLoginClosed, AccountDisabled: as `question` does, and for a newcomer
                without a username.
        """
        if (decided := self._answered(login_id, secret)) is not None:
            return decided
        asked = self.question(login_id, secret)
        if asked.user is None:
            raise NativeLoginClosed("a username is needed first")
        now = self.clock()
        session = replace(
            asked.session,
            pending_for=None,
            destination=None,
            expires_at=now + self.session_lifetime,
        )
        if self.logins.complete(login_id, session=session, now=now):
            self._record("signed_in", asked)
            self.observe(NativeLoginStep("allowed"))
            log.info("native login %s: allowed", asked.login.user_code)
        return self._as_decided(login_id)

    def deny(self, login_id: str, secret: str) -> NativeLogin:
        """Deny the app, revoke the grant, and return the decided login.

        Raises:
            NativeLoginClosed, AccountDisabled: as `question` does.
        """
        if (decided := self._answered(login_id, secret)) is not None:
            return decided
        asked = self.question(login_id, secret)
        if self.logins.deny(login_id, self.clock()):
            self._record("native_denied", asked)
            self.observe(NativeLoginStep("denied"))
            log.info("native login %s: denied", asked.login.user_code)
            self.ending.end(
                asked.session, reason="app denied", budget=REVOCATION_BUDGET
            )
        return self._as_decided(login_id)

    def _answered(self, login_id: str, secret: str) -> NativeLogin | None:
        """Return the decided login if this browser's session for it is over."""
        if self.sessions.by_secret(secret) is not None:
            return None
        return self._decided(login_id)

    def _decided(self, login_id: str) -> NativeLogin | None:
        login = self.logins.get(login_id)
        bind(login_id=login.log_id if login else "")
        return login if login is not None and login.status != "pending" else None

    def _as_decided(self, login_id: str) -> NativeLogin:
        decided = self._decided(login_id)
        if decided is None:  # it expired between the question and the answer
            raise NativeLoginClosed("expired")
        return decided

    def _record(self, event: str, asked: AppQuestion) -> None:
        self.audit.record(
            event,
            now=self.clock(),
            did=asked.session.did,
            sid=asked.session.sid,
            detail={"app": asked.login.app_name},
        )
