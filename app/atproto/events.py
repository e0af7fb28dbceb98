"""Events of the client, for an application's log and metrics; none holds a secret.

`open_client(observe=...)` takes one function that is called with each event, on the
thread that did the work. It must return quickly and must not raise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

RequestKind = Literal[
    "handle",
    "did",
    "resource_metadata",
    "server_metadata",
    "par",
    "token",
    "refresh",
    "revoke",
    "xrpc",
]


@dataclass(frozen=True, slots=True)
class CallbackReceived:
    """A callback named an auth request that waits; nothing of it is checked yet."""

    browser_secret_hash: str | None
    """SHA-256 (hex) of the secret of the browser that began the login."""
    waited: float
    """Seconds since the authorization request was pushed: the person's at the host."""


@dataclass(frozen=True, slots=True)
class RequestEnded:
    """A request to another host was answered, or failed."""

    kind: RequestKind
    host: str
    status: int | None
    """None: there was no answer; `error` says why."""
    error: Exception | None
    seconds: float


@dataclass(frozen=True, slots=True)
class NonceRetried:
    """A request was sent again, with the DPoP nonce that a server asked for."""

    kind: RequestKind


@dataclass(frozen=True, slots=True)
class RefreshEnded:
    """A refresh of a session ended.

    `refreshed`, `busy` (another process did not end it in time), `failed` (the session
    stays), or why the session ended: a reason of `SessionEnded`.
    """

    outcome: str


Event: TypeAlias = CallbackReceived | RequestEnded | NonceRetried | RefreshEnded
Observer: TypeAlias = Callable[[Event], None]


def ignore(event: object) -> None:
    """Observe nothing."""
    del event
