"""How the service is asked, as a port: over HTTP and over gRPC in the same words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .connection import Line

KEPT = "completed"
"""The event id that acknowledges: the token has arrived and is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Initiation:
    """Who wants to sign in, and into what."""

    identifier: str
    code_challenge: str
    app_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Initiated:
    """A login as the service began it, checked."""

    oauth_url: str = field(repr=False)
    session_id: str = field(repr=False)
    user_code: str
    expires_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to a login's outcome: where it is, and the two secrets for it."""

    server_url: str
    session_id: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """The app is let in."""

    token: str = field(repr=False)
    did: str
    handle: str | None
    username: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class Denied:
    """The person said no."""


@dataclass(frozen=True, slots=True)
class Expired:
    """Nobody decided in time, or the token was acknowledged already."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Nothing yet: ask again after this many seconds."""

    ask_again: float = 0.0


Outcome = Completed | Denied | Expired
Answer = Outcome | Pending


class Transport(Protocol):
    """One way to speak to the service; used by several threads at once."""

    def initiate(self, server_url: str, initiation: Initiation) -> Initiated:
        """Start a login.

        Raises:
            LoginRefused: the service said no.
            ServerUnreachable: it was not heard.
        """
        ...

    def attend(self, claim: Claim, line: Line, *, patiently: bool) -> Answer:
        """Ask once, on one connection, for as long as that lasts.

        What is open is announced to the line, which may cut it at any time; not
        `patiently` means to look and not to wait.

        Raises:
            LoginRefused: the service said no, for good.
            ServerUnreachable: it was not heard, or not to the end: ask again.
            LineCut: nobody waits any more.
        """
        ...

    def acknowledge(self, claim: Claim) -> None:
        """Say that the token is kept.

        Raises:
            LoginRefused, ServerUnreachable: harmless, the claim ends by itself.
        """
        ...

    def end_session(self, server_url: str, token: str) -> None:
        """Have the service end the session of a token.

        Raises:
            LoginRefused: `not_signed_in`, if it is over, or the token's time is.
            ServerUnreachable: it was not heard.
        """
        ...
