"""Start a native login: the app's first call, POST /auth/native/login.

The app gets two secrets that are joined in one row: `await_secret`, which no browser
sees, and the one in the link that it opens in a browser (requirement 9.19).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from app.atproto.crypto.encoding import sha256_hex
from app.flows.limits.networks import hit_networks, network_of
from app.flows.login.destination import Destination
from app.flows.login.start import StartLogin
from app.flows.ports import NativeLogin, NativeLogins
from app.telemetry.context import login_id_of
from app.telemetry.events import NativeLoginStep, Observer, ignore

from .app_identity import make_user_code, parse_app_name, parse_code_challenge

log = logging.getLogger(__name__)

NATIVE_LOGIN_LIFETIME = 1800
"""Seconds from the start of the login to the person's last click."""

OPEN_PATH = "/auth/native/open"


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeLoginStarted:
    """What the app gets: a link for the browser, its own secret, a code to show."""

    oauth_url: str = field(repr=False)
    await_secret: str = field(repr=False)
    user_code: str
    expires_in: int

    def document(self) -> dict[str, object]:
        """Return the JSON object of the HTTP interface."""
        return {
            "oauth_url": self.oauth_url,
            "session_id": self.await_secret,
            "user_code": self.user_code,
            "expires_in": self.expires_in,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StartNativeLogin:
    """POST /auth/native/login, and InitiateLogin."""

    logins: NativeLogins
    starting: StartLogin
    public_url: str
    clock: Callable[[], float]
    observe: Observer = ignore

    def count(self, address: str) -> None:
        """Count a start that cannot be read. Raises `TooManyRequests`."""
        hit_networks(self.starting.limits, "address", network_of(address))

    def start(
        self,
        identifier: str,
        *,
        address: str,
        app_name: str | None = None,
        code_challenge: str | None = None,
    ) -> NativeLoginStarted:
        """Start a login that a person finishes in a browser while the app waits.

        Raises:
            AppNameInvalid, CodeChallengeInvalid: before any request is sent.
            FlowError, AtprotoError: as `StartLogin` does.
        """
        name = parse_app_name(app_name)
        challenge = parse_code_challenge(code_challenge)
        await_secret = secrets.token_urlsafe(32)
        login_id = sha256_hex(await_secret)
        started = self.starting(
            Destination(identifier=identifier, native=login_id), address=address
        )
        now = self.clock()
        login = NativeLogin(
            login_id=login_id,
            app_name=name,
            user_code=make_user_code(),
            code_challenge=challenge,
            identifier=identifier,
            authorization_url=started.url,
            state=started.state,
            created_at=now,
            expires_at=now + NATIVE_LOGIN_LIFETIME,
            log_id=login_id_of(started.secret),
        )
        self.logins.add(login, open_secret=started.secret)
        self.observe(NativeLoginStep("started"))
        log.info("native login started: %s for %r", login.user_code, name)
        link = f"{self.public_url}{OPEN_PATH}?{urlencode({'login': started.secret})}"
        return NativeLoginStarted(
            oauth_url=link,
            await_secret=await_secret,
            user_code=login.user_code,
            expires_in=NATIVE_LOGIN_LIFETIME,
        )
