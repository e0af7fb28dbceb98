"""The transport protocol: how the service is asked, over HTTP or over gRPC."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from ..errors import LoginRefused, ServerUnreachable
from ..records import LoginStarted, StoredSession
from .connection import Connection

OVER = frozenset({"not_signed_in", "invalid_grant"})
"""The service's codes for a session that has ended."""

ACKNOWLEDGEMENT = "completed"
"""The Last-Event-ID that acknowledges: the token has arrived and is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Initiation:
    """The request that starts a login."""

    identifier: str
    code_challenge: str
    app_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What the service asks for before it gives out a login's outcome."""

    server_url: str
    session_id: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """The person let the app in."""

    token: str = field(repr=False)
    did: str
    handle: str | None
    username: str
    expires_in: int
    refresh_token: str = field(default="", repr=False)
    """Empty from a service of release 0.1."""


@dataclass(frozen=True, slots=True)
class Denied:
    """The person refused."""


@dataclass(frozen=True, slots=True)
class Expired:
    """The login was not decided in time, or its token was acknowledged already."""


@dataclass(frozen=True, slots=True)
class Pending:
    """There is no outcome yet: ask again after this many seconds."""

    ask_again: float = 0.0


Outcome = Completed | Denied | Expired
Answer = Outcome | Pending


class Transport(Protocol):
    """One way to speak to the service; several threads use it at once."""

    def initiate(self, server_url: str, initiation: Initiation) -> LoginStarted:
        """Start a login.

        Raises:
            LoginRefused: the service refused.
            ServerUnreachable: there was no answer.
        """

    def ask(self, claim: Claim, connection: Connection, *, wait: bool) -> Answer:
        """Ask once for the outcome, on one connection.

        With `wait` the service answers when the login is decided, or when it has kept
        the connection for as long as it does; without it, at once. The transport
        registers with `connection.closed_by` how to close what it opens.

        Raises:
            LoginRefused: the service refused, for good unless `is_passing`.
            ServerUnreachable: there was no complete answer: ask again.
            Cancelled: the connection was cancelled.
        """

    def acknowledge(self, claim: Claim) -> None:
        """Tell the service that the token is stored.

        Raises LoginRefused or ServerUnreachable. Both are harmless: the service stops
        giving out the token by itself.
        """

    def refresh(self, server_url: str, refresh_token: str) -> Completed:
        """Renew a token; the refresh token of the answer replaces the one given.

        Raises:
            LoginRefused: `invalid_grant` when the session is over.
            ServerUnreachable: there was no answer: send the same one again.
        """

    def end_session(self, server_url: str, token: str) -> None:
        """Have the service end the session of a token.

        Raises:
            LoginRefused: `not_signed_in` when the session or the token has expired.
            ServerUnreachable: there was no answer.
        """


def call_within(
    seconds: float, call: Callable[[], None]
) -> LoginRefused | ServerUnreachable | None:
    """Call in a thread; return its error, or None when it succeeded in time.

    A call that takes longer goes on and its result is dropped.
    """
    errors: list[LoginRefused | ServerUnreachable | None] = []

    def run() -> None:
        try:
            call()
        except (LoginRefused, ServerUnreachable) as error:
            errors.append(error)
        else:
            errors.append(None)

    thread = threading.Thread(target=run, name="latchkey-call", daemon=True)
    thread.start()
    thread.join(seconds)
    return errors[0] if errors else ServerUnreachable("it does not answer in time")


def end_session(
    transport: Transport, stored: StoredSession, *, now: float, within: float
) -> str | None:
    """Have the service end a session; return why it may still exist, or None.

    A token that is refused before its expiry belongs to a session that has ended. An
    expired one is renewed first; without a refresh token, a refusal says nothing.
    """
    session, refresh = stored.session, stored.refresh
    is_good = now < session.expires_at

    def end() -> None:
        token = session.token
        if not is_good and refresh is not None:
            token = transport.refresh(session.server_url, refresh.token).token
        transport.end_session(session.server_url, token)

    trouble = call_within(within, end)
    if not isinstance(trouble, LoginRefused) or trouble.code not in OVER:
        return None if trouble is None else str(trouble)
    is_over = is_good or refresh is not None
    return None if is_over else "the token has expired"
