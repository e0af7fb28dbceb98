"""The app's half of a native login: begin it, and await its token.

The app holds a secret that no browser ever sees; the link that it opens holds another,
and the two are joined in one row. Who proves the first gets the token, minted when it
is delivered, so that none rests in the database (requirement 9.19).
"""

from __future__ import annotations

import logging
import math
import secrets
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlencode

from app.atproto.oauth.callback import fingerprint
from app.atproto.syntax.grammar import Did, Handle
from app.flows.concurrency import ConcurrencyLimit
from app.flows.destination import Destination
from app.flows.errors import NativeLoginUnknown, VerifierMismatch
from app.flows.login import StartLogin
from app.flows.networks import network_of
from app.flows.ports import NativeChanges, NativeLogin, NativeLogins, Sessions
from app.flows.session import IssueToken

from .app_identity import (
    is_proof,
    make_user_code,
    parse_app_name,
    parse_code_challenge,
)

log = logging.getLogger(__name__)

NativeStatus = Literal["pending", "completed", "denied", "expired"]

NATIVE_LOGIN_LIFETIME = 1800
"""Seconds that a person has, from the app's start to the last button."""

DELIVERY_WINDOW = 300
"""Seconds for which a token is given out: connections break, and apps restart."""

OPEN_PATH = "/auth/native/open"


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeLoginStarted:
    """What the app needs: a link for the browser, its own secret, a code to show."""

    oauth_url: str = field(repr=False)
    session_id: str = field(repr=False)
    user_code: str
    expires_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeOutcome:
    """How a native login stands.

    `expires_in` are the seconds that remain: of the token once it is there, of the
    login while it is pending.
    """

    status: NativeStatus
    token: str | None = field(default=None, repr=False)
    did: Did | None = None
    handle: Handle | None = None
    username: str | None = None
    expires_in: int | None = None

    def document(self) -> dict[str, object]:
        """Return what an app is told, in the words of the contract."""
        if self.status != "completed":
            return {"status": self.status}
        return {
            "status": self.status,
            "token": self.token,
            "did": self.did,
            "handle": self.handle,
            "username": self.username,
            "expires_in": self.expires_in,
        }


EXPIRED = NativeOutcome(status="expired")


@dataclass(frozen=True, slots=True, kw_only=True)
class StartNativeLogin:
    """POST /auth/native/login, and InitiateLogin."""

    logins: NativeLogins
    starting: StartLogin
    public_url: str
    clock: Callable[[], float]

    def start(
        self,
        identifier: str,
        *,
        address: str,
        app_name: str | None = None,
        code_challenge: str | None = None,
    ) -> NativeLoginStarted:
        """Begin a login that a browser finishes and this app awaits.

        Raises:
            AppNameInvalid, CodeChallengeInvalid: before anybody is asked.
            Whatever `StartLogin.start` raises.
        """
        name = parse_app_name(app_name)
        challenge = parse_code_challenge(code_challenge)
        session_id = secrets.token_urlsafe(32)
        login_id = fingerprint(session_id)
        started = self.starting.start(
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
        )
        self.logins.add(login, open_secret=started.secret)
        log.info("native login began: %s for %r", login.user_code, name)
        link = f"{self.public_url}{OPEN_PATH}?{urlencode({'login': started.secret})}"
        return NativeLoginStarted(
            oauth_url=link,
            session_id=session_id,
            user_code=login.user_code,
            expires_in=NATIVE_LOGIN_LIFETIME,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitNativeLogin:
    """GET /auth/native/login/ID/await, and AwaitLogin.

    A front end enters `admit`, then `watch`, then looks, and looks again whenever it is
    woken, until the status is not pending any more or `is_ending`.
    """

    logins: NativeLogins
    sessions: Sessions
    tokens: IssueToken
    changes: NativeChanges
    streams: ConcurrencyLimit
    token_lifetime: int
    clock: Callable[[], float]
    ending: threading.Event = field(default_factory=threading.Event)

    def admit(self, address: str) -> AbstractContextManager[None]:
        """Hold one stream of an address's network open.

        Raises:
            TooManyRequests: the address has as many as it may.
        """
        return self.streams.hold(network_of(address))

    @property
    def is_ending(self) -> bool:
        """Whether open streams are to end without an answer: this process stops."""
        return self.ending.is_set()

    def end(self) -> None:
        """End the open streams of this process; their apps come back to another.

        Streams that come after this are admitted and end as well: an EventSource comes
        back after an end, never after a refusal.
        """
        self.ending.set()
        self.changes.wake_all()

    def watch(
        self, session_id: str, wake: Callable[[], None]
    ) -> AbstractContextManager[None]:
        """Call `wake`, from any thread, whenever it may be worth looking again.

        What happened before is not told: look once after entering.
        """
        return self.changes.watch(fingerprint(session_id), wake)

    def look(
        self, session_id: str, *, code_verifier: str | None = None
    ) -> NativeOutcome:
        """Tell how the login stands, now; mint the token when the app was let in.

        Looking consumes nothing: whoever proves the secret gets a token again until
        the delivery is acknowledged or its window closes.

        Raises:
            NativeLoginUnknown: no login has this secret.
            VerifierMismatch: not the verifier of the login's challenge.
            AccountDisabled: the platform has shut this account since.
        """
        login = self._proved(session_id, code_verifier)
        now = self.clock()
        match login.status:
            case "denied":
                return NativeOutcome(status="denied")
            case "completed":
                return self._delivery(login, now)
            case "pending" if login.is_open(now):
                remaining = math.ceil(login.expires_at - now)
                return NativeOutcome(status="pending", expires_in=remaining)
            case _:
                return EXPIRED

    def acknowledge(self, session_id: str, *, code_verifier: str | None = None) -> None:
        """Note that the app keeps its token: nobody gets another one.

        Raises:
            NativeLoginUnknown, VerifierMismatch: as `look` does.
        """
        login = self._proved(session_id, code_verifier)
        if self.logins.acknowledge(login.login_id, self.clock()):
            log.info("native login %s was delivered", login.user_code)

    def _proved(self, session_id: str, code_verifier: str | None) -> NativeLogin:
        login = self.logins.get(fingerprint(session_id))
        if login is None:
            raise NativeLoginUnknown("no app awaits this")
        if not is_proof(code_verifier, login.code_challenge):
            raise VerifierMismatch("not the verifier of this login")
        return login

    def _delivery(self, login: NativeLogin, now: float) -> NativeOutcome:
        if login.acknowledged_at is not None or login.decided_at is None:
            return EXPIRED
        if login.sid is None or now >= login.decided_at + DELIVERY_WINDOW:
            return EXPIRED
        session = self.sessions.get(login.sid)
        if session is None:  # ended on the account page before it was collected
            return EXPIRED
        signed_in = self.tokens.issue(session)
        if signed_in.user is None or signed_in.token is None:
            return EXPIRED
        return NativeOutcome(
            status="completed",
            token=signed_in.token,
            did=signed_in.user.did,
            handle=signed_in.user.handle,
            username=signed_in.user.username,
            expires_in=self.token_lifetime,
        )
