"""The browser's half of a native login: follow the app's link, then let the app in.

Whoever follows the link proves an account; only the person behind it can tell whether
the app that began the login is theirs. A link that somebody else forwarded would sign
that somebody in as whoever follows it: hence the question, and the code to compare.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from app.flows.destination import Destination, awaited_by
from app.flows.errors import NativeLoginClosed
from app.flows.login import LoginStarted, StartLogin
from app.flows.logout import EndSession
from app.flows.ports import Audit, NativeLogin, NativeLogins, Session, Sessions, User
from app.flows.session import IssueToken

log = logging.getLogger(__name__)

PUSHED_LIFETIME = 60
"""Seconds for which a pushed request surely serves; servers keep them for a few minutes
at most (RFC 9126 §2.2)."""

REVOCATION_BUDGET = 2.5
"""Seconds that the host gets to take back the grant of an app that was kept out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenNativeLogin:
    """GET /auth/native/open."""

    logins: NativeLogins
    starting: StartLogin
    clock: Callable[[], float]

    def open(self, secret: str, *, address: str) -> LoginStarted:
        """Return where the browser goes, with what binds the flow to it (9.12).

        The first visit finds the request that was pushed when the app began. It serves
        once: a later visit, by the same person or after whoever looked at the link
        before, pushes one of its own.

        Raises:
            NativeLoginClosed: unknown, decided already, or too old.
            Whatever `StartLogin.start` raises.
        """
        login = self.logins.by_open_secret(secret)
        now = self.clock()
        if login is None or not login.is_open(now):
            raise NativeLoginClosed("this link leads nowhere any more")
        is_first = self.logins.open(login.login_id, now)
        if is_first and now < login.created_at + PUSHED_LIFETIME:
            return LoginStarted(
                url=login.authorization_url, state=login.state, secret=secret
            )
        destination = Destination(identifier=login.identifier, native=login.login_id)
        return self.starting.start(destination, address=address, secret=secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppQuestion:
    """An app waits for the word of the person who was proved."""

    login: NativeLogin
    session: Session
    user: User | None
    """None: a newcomer, who picks a username first."""


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

    def question(self, login_id: str, secret: str) -> AppQuestion:
        """Return what the person decides about.

        `login_id` and `secret` are what this browser was given at its callback.

        Raises:
            NativeLoginClosed: decided already, too old, or not this browser's.
            AccountDisabled: the platform has shut this account.
        """
        login = self.logins.get(login_id)
        session = self.sessions.by_secret(secret)
        if login is None or session is None or not login.is_open(self.clock()):
            raise NativeLoginClosed("nothing is left to decide")
        if awaited_by(session) != login_id:
            raise NativeLoginClosed("this session is for something else")
        user = self.tokens.account(session).user
        return AppQuestion(login=login, session=session, user=user)

    def allow(self, login_id: str, secret: str) -> NativeLogin:
        """Let the app in, and return the login as it is decided now.

        Whoever presses a button twice gets the first answer again.

        Raises:
            NativeLoginClosed, AccountDisabled: as `question` does; a newcomer's login,
                too, is not one to decide yet.
        """
        if (decided := self._answered(login_id, secret)) is not None:
            return decided
        asked = self.question(login_id, secret)
        if asked.user is None:
            raise NativeLoginClosed("a newcomer picks a username first")
        now = self.clock()
        session = replace(
            asked.session, destination=None, expires_at=now + self.session_lifetime
        )
        if self.logins.complete(login_id, session=session, now=now):
            self._record("signed_in", asked)
            log.info("native login %s: let in", asked.login.user_code)
        return self._as_decided(login_id)

    def deny(self, login_id: str, secret: str) -> NativeLogin:
        """Keep the app out, give the grant back, and return the login as it is now.

        Raises:
            NativeLoginClosed, AccountDisabled: as `question` does.
        """
        if (decided := self._answered(login_id, secret)) is not None:
            return decided
        asked = self.question(login_id, secret)
        if self.logins.deny(login_id, self.clock()):
            self._record("native_denied", asked)
            log.info("native login %s: kept out", asked.login.user_code)
            self.ending.end(
                asked.session, reason="app kept out", budget=REVOCATION_BUDGET
            )
        return self._as_decided(login_id)

    def _answered(self, login_id: str, secret: str) -> NativeLogin | None:
        """Return the login if this browser has decided it; another may have, too."""
        if self.sessions.by_secret(secret) is not None:
            return None
        return self._decided(login_id)

    def _decided(self, login_id: str) -> NativeLogin | None:
        login = self.logins.get(login_id)
        return login if login is not None and login.status != "pending" else None

    def _as_decided(self, login_id: str) -> NativeLogin:
        decided = self._decided(login_id)
        if decided is None:  # its time was up between the question and the answer
            raise NativeLoginClosed("too late")
        return decided

    def _record(self, event: str, asked: AppQuestion) -> None:
        self.audit.record(
            event,
            now=self.clock(),
            did=asked.session.did,
            sid=asked.session.sid,
            detail={"app": asked.login.app_name},
        )
