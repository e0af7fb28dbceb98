"""Refresh tokens of native apps: POST /auth/native/refresh, and RefreshToken (gRPC).

An app renews its platform token without the person, until the session that the person
allowed ends. `app.flows.sessions.rotation` has the rule of rotation and reuse.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from app.flows.errors import AccountDisabled, RefreshRefused
from app.flows.limits.networks import hit_networks, network_of
from app.flows.ports import RateLimit, Session, Sessions
from app.flows.sessions.logout import EndSession
from app.flows.sessions.rotation import (
    RefreshChain,
    chain_of,
    first_token,
    judge,
    next_token,
)
from app.flows.sessions.session import IssueToken
from app.telemetry.context import bind
from app.telemetry.events import AppRefresh, Observer, ignore

from .outcome import NativeOutcome, completed

log = logging.getLogger(__name__)

LOOKS: Final = 3
"""A rotation that another process made first is found at the second look."""


class RefreshChains(Protocol):
    """Refresh chains, one for each session of an app."""

    def begin(self, sid: str, token: str, *, opener: str, now: float) -> None:
        """Begin the chain of a live session; no effect if it has one.

        The token is stored encrypted under `opener`, the app's await secret.
        """

    def first(self, sid: str, *, opener: str) -> str | None:
        """Return the first token of a session's chain; None once it was used."""

    def find(self, token: str) -> RefreshChain | None:
        """Return the chain that a token names."""

    def rotate(self, token: str, successor: str, *, now: float) -> bool:
        """Replace the current token; False if it is not current, or the session ended.

        The successor is stored encrypted under the token that it replaces.
        """

    def successor(self, chain: RefreshChain, token: str) -> str:
        """Return the successor that was stored for the previous token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshApp:
    """Give apps refresh tokens, and renew their platform tokens for them."""

    chains: RefreshChains
    sessions: Sessions
    tokens: IssueToken
    ending: EndSession
    rates: RateLimit
    token_lifetime: int
    clock: Callable[[], float]
    observe: Observer = ignore

    def first(self, session: Session, await_secret: str) -> str | None:
        """Return the first refresh token of an app's session.

        The same one at each call, so that an app whose connection broke asks again;
        None after the app has used it.
        """
        now = self.clock()
        self.chains.begin(session.sid, first_token(), opener=await_secret, now=now)
        return self.chains.first(session.sid, opener=await_secret)

    def __call__(self, token: str, *, address: str) -> NativeOutcome:
        """Return a new platform token and the successor of a refresh token.

        Refused tokens count against the network, and refreshes against the session.

        Raises:
            RefreshRefused: unknown, replaced, or its session or account has ended; a
                replaced one ends the session (RFC 9700 section 4.14.2).
            TooManyRequests: too many refused tokens from this network, or too many
                refreshes of this session.
        """
        try:
            session, successor = self._rotated(token)
        except RefreshRefused:
            self.observe(AppRefresh("refused"))
            hit_networks(self.rates, "token", network_of(address))
            raise
        return completed(
            self.tokens.issue(session),
            refresh_token=successor,
            expires_in=self.token_lifetime,
            now=self.clock(),
        )

    def _rotated(self, token: str) -> tuple[Session, str]:
        """Return the session of a token, and the token that follows it."""
        for _ in range(LOOKS):
            chain, session = self._live(token)
            now = self.clock()
            match judge(chain, token, now):
                case "repeat":
                    self.observe(AppRefresh("repeated"))
                    return session, self.chains.successor(chain, token)
                case "reused":
                    self._end(session)
                case "rotate":
                    successor = next_token(token)
                    if self.chains.rotate(token, successor, now=now):
                        self.observe(AppRefresh("rotated"))
                        return session, successor
        raise RefreshRefused("the session ended meanwhile")

    def _live(self, token: str) -> tuple[RefreshChain, Session]:
        chain = self.chains.find(token) if chain_of(token) else None
        session = self.sessions.get(chain.owner) if chain else None
        if chain is None or session is None:
            raise RefreshRefused("unknown, or its session has ended")
        bind(did=session.did, sid=session.sid)
        self.rates.hit("call", f"refresh {session.sid}")
        self._check_account(session)
        return chain, session

    def _check_account(self, session: Session) -> None:
        try:
            user = self.tokens.account(session).user
        except AccountDisabled as error:
            raise RefreshRefused("the account is disabled") from error
        if user is None:
            raise RefreshRefused("the account is gone")

    def _end(self, session: Session) -> None:
        """End the session of a reused token: two parties hold tokens of its chain."""
        log.warning("a replaced refresh token came back: the session ends")
        self.observe(AppRefresh("reused"))
        self.ending.end_here(session, reason="refresh token reused")
        raise RefreshRefused("a replaced token was used again", "reused")
