"""Finish a native login's OAuth flow: hold the session until the person confirms.

The browser that came back from the host is not signed in. Its session belongs to the
app once the person allows it (`confirm.py`), and ends with the login otherwise.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from app.atproto.records import OAuthSession
from app.flows.errors import NativeLoginClosed
from app.flows.login.destination import Destination
from app.flows.ports import NativeLogin, NativeLogins, Sessions, Users
from app.flows.sessions.session import IssueToken, SignedIn, new_session
from app.telemetry.context import bind

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldForApp:
    """Create the session that an app's login waits for."""

    native_logins: NativeLogins
    sessions: Sessions
    users: Users
    tokens: IssueToken
    clock: Callable[[], float]

    def __call__(
        self, granted: OAuthSession, destination: Destination
    ) -> tuple[SignedIn, str]:
        """Return the session, without a token, and the secret that confirms it.

        Raises:
            AccountDisabled: the platform has disabled this account.
            NativeLoginClosed: the app no longer waits.
        """
        now, secret = self.clock(), secrets.token_urlsafe(32)
        self._note_sign_in(granted, now)
        login = self._open_login(destination.native, now)
        session = replace(
            new_session(granted, device=login.app_name, now=now, lifetime=0),
            app_name=login.app_name,
            pending_for="native",
            destination=destination.pack(),
            expires_at=login.expires_at,
        )
        held = self.tokens.account(session)
        bind(did=session.did, sid=session.sid)
        self.sessions.add(session, secret=secret)
        log.info("native login %s: %s is proved", login.user_code, session.did)
        return held, secret

    def _note_sign_in(self, granted: OAuthSession, now: float) -> None:
        """Note the handle; the issuer only if none is known.

        An app's login shows no page about a moved account, so the next sign-in of a
        browser still has to find the former issuer.
        """
        user = self.users.get(granted.did)
        if user is not None:
            self.users.note_sign_in(
                granted.did,
                handle=granted.handle,
                issuer=user.issuer or granted.issuer,
                now=now,
            )

    def _open_login(self, login_id: str, now: float) -> NativeLogin:
        login = self.native_logins.get(login_id)
        if login is not None:
            bind(login_id=login.log_id)
        if login is None or not login.is_open(now):
            raise NativeLoginClosed("the app no longer waits for this login")
        return login
