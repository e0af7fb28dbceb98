"""Wait for a native login: GET /auth/native/login/SECRET/await, and AwaitLogin (gRPC).

The app proves `await_secret` and, where it sent a challenge, the verifier (RFC 7636).
Its platform token is minted when it is delivered, so the database holds none
(requirement 9.19).
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from app.atproto.crypto.encoding import sha256_hex
from app.flows.errors import NativeLoginUnknown, VerifierMismatch
from app.flows.limits.concurrency import ConcurrencyLimit
from app.flows.limits.networks import network_of
from app.flows.ports import (
    DecidedLogin,
    NativeLogin,
    NativeLoginEvents,
    NativeLogins,
    Sessions,
    Watched,
)
from app.flows.sessions.session import IssueToken
from app.telemetry.context import bind
from app.telemetry.events import NativeLoginStep, Observer, ignore

from .app_identity import is_proof
from .outcome import DENIED, EXPIRED, NativeOutcome, completed
from .refresh import RefreshApp

log = logging.getLogger(__name__)

DELIVERY_WINDOW = 300
"""Seconds after the decision in which the app may fetch its token, several times if a
connection breaks or the app restarts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitNativeLogin:
    """GET /auth/native/login/SECRET/await, and AwaitLogin.

    A front end enters `admit`, then `watch`, then calls `look`, and `look_again` after
    each wake-up, until the status is no longer pending or `is_ending` is true.
    """

    logins: NativeLogins
    sessions: Sessions
    tokens: IssueToken
    refreshing: RefreshApp
    events: NativeLoginEvents
    streams: ConcurrencyLimit
    token_lifetime: int
    clock: Callable[[], float]
    observe: Observer = ignore
    ending: threading.Event = field(default_factory=threading.Event)

    def admit(self, address: str) -> AbstractContextManager[None]:
        """Hold one stream of an address's network open.

        Raises:
            TooManyRequests: the address has as many open streams as it may have.
        """
        return self.streams.hold(network_of(address))

    @property
    def is_ending(self) -> bool:
        """Whether streams are to end without an answer, because the process stops."""
        return self.ending.is_set()

    def end(self) -> None:
        """End the open streams of this process; their apps connect again.

        Later streams are admitted and end as well: an EventSource connects again after
        an end, never after a refusal.
        """
        self.ending.set()
        self.events.wake_all()

    def watch(
        self, await_secret: str, wake: Callable[[], None]
    ) -> AbstractContextManager[Watched]:
        """Call `wake`, from any thread, when the login may have changed.

        Earlier changes are not reported: call `look` once after entering.
        """
        return self.events.watch(sha256_hex(await_secret), wake)

    def look(
        self, await_secret: str, *, code_verifier: str | None = None
    ) -> NativeOutcome:
        """Return the state of the login; mint a token when the person allowed the app.

        Consumes nothing: the app may fetch a token again until it acknowledges the
        delivery or DELIVERY_WINDOW ends.

        Raises:
            NativeLoginUnknown: no login has this secret.
            VerifierMismatch: the verifier does not match the login's challenge.
            AccountDisabled: the platform has disabled this account.
        """
        login = self._proved(await_secret, code_verifier)
        now = self.clock()
        if login.is_open(now):
            remaining = math.ceil(login.expires_at - now)
            return NativeOutcome(status="pending", expires_in=remaining)
        return self._answer(login, await_secret, now)

    def look_again(
        self, watched: Watched, await_secret: str, *, code_verifier: str | None = None
    ) -> NativeOutcome:
        """Return what `look` returns, without a read once the decision was handed over.

        Only after `look` of the same secret and verifier: it has proved them, and a
        login keeps its challenge. That an acknowledged token is not given out again
        does not depend on what was handed over: the session's first refresh token is
        gone then.

        Raises:
            NativeLoginUnknown, VerifierMismatch, AccountDisabled: as `look` does.
        """
        decided = watched.decided
        if decided is None:
            return self.look(await_secret, code_verifier=code_verifier)
        bind(did=decided.did or "", sid=decided.sid or "")
        return self._answer(decided, await_secret, self.clock())

    def acknowledge(
        self, await_secret: str, *, code_verifier: str | None = None
    ) -> None:
        """Note that the app has its token; no other token is given out.

        Raises:
            NativeLoginUnknown, VerifierMismatch: as `look` does.
        """
        login = self._proved(await_secret, code_verifier)
        if self.logins.acknowledge(login.login_id, self.clock()):
            self.observe(NativeLoginStep("delivered"))
            log.info("native login %s was delivered", login.user_code)

    def _proved(self, await_secret: str, code_verifier: str | None) -> NativeLogin:
        login = self.logins.get(sha256_hex(await_secret))
        if login is None:
            raise NativeLoginUnknown("no native login has this secret")
        bind(login_id=login.log_id, did=login.did or "", sid=login.sid or "")
        if not is_proof(code_verifier, login.code_challenge):
            raise VerifierMismatch("the verifier does not match the challenge")
        return login

    def _answer(
        self, login: NativeLogin | DecidedLogin, await_secret: str, now: float
    ) -> NativeOutcome:
        match login.status:
            case "denied":
                return DENIED
            case "completed":
                return self._delivery(login, await_secret, now)
            case _:
                return EXPIRED

    def _delivery(
        self, login: NativeLogin | DecidedLogin, await_secret: str, now: float
    ) -> NativeOutcome:
        if login.acknowledged_at is not None or login.decided_at is None:
            return EXPIRED
        if login.sid is None or now >= login.decided_at + DELIVERY_WINDOW:
            return EXPIRED
        session = self.sessions.get(login.sid)
        if session is None:
            return EXPIRED
        refresh_token = self.refreshing.first(session, await_secret)
        if refresh_token is None:  # the app has used it, so it has its token
            return EXPIRED
        return completed(
            self.tokens.issue(session),
            refresh_token=refresh_token,
            expires_in=self.token_lifetime,
            now=now,
        )
