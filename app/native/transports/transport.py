"""The transport protocol: how the service is asked, over HTTP or over gRPC."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ..errors import LoginRefused, ServerUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..records import LoginStarted, NativeSession
    from .connection import Connection

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
        ...

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
        ...

    def acknowledge(self, claim: Claim) -> None:
        """Tell the service that the token is stored.

        Raises LoginRefused or ServerUnreachable. Both are harmless: the service stops
        giving out the token by itself.
        """
        ...

    def end_session(self, server_url: str, token: str) -> None:
        """Have the service end the session of a token.

        Raises:
            LoginRefused: `not_signed_in` when the session or the token has expired.
            ServerUnreachable: there was no answer.
        """
        ...


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
    transport: Transport, session: NativeSession, *, now: float, within: float
) -> str | None:
    """Have the service end a session; return why it may still exist, or None.

    A token that is refused before its expiry belongs to a session that has ended. When
    the token has expired, a refusal says nothing about its session.
    """
    trouble = call_within(
        within, lambda: transport.end_session(session.server_url, session.token)
    )
    if not (isinstance(trouble, LoginRefused) and trouble.code == "not_signed_in"):
        return None if trouble is None else str(trouble)
    return None if now < session.expires_at else "the token has expired"
