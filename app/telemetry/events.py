"""Events of the service, for metrics: what happened, and no text of a stranger's.

The factory gives each use case an observer, a function that is called with every
event; `ignore` without METRICS_BIND. It returns quickly and never raises.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from app.atproto.events import ignore

__all__ = [
    "AppRefresh",
    "CallEnded",
    "ConnectionsUsed",
    "FailureAnswered",
    "NativeLoginStep",
    "Observer",
    "PlaceTaken",
    "RequestServed",
    "SignInStep",
    "SweepEnded",
    "TokenVerified",
    "ignore",
    "sign_in_step",
]

Observer: TypeAlias = Callable[[Any], None]

Place = Literal["logins", "streams", "calls", "calls_of_pds", "polls"]


@dataclass(frozen=True, slots=True)
class SignInStep:
    """A half of a login ended: `start` is the form's, `finish` the callback's."""

    step: Literal["start", "finish"]
    error: Exception | None
    seconds: float


@dataclass(frozen=True, slots=True)
class NativeLoginStep:
    """An app's login went a step further."""

    outcome: Literal["started", "allowed", "denied", "delivered"]


@dataclass(frozen=True, slots=True)
class AppRefresh:
    """An app sent its refresh token; `reused` ended its session."""

    result: Literal["rotated", "repeated", "reused", "refused"]


@dataclass(frozen=True, slots=True)
class TokenVerified:
    """/auth/verify looked at a token: known (`hit`), asked for (`miss`), or invalid.

    `outage`: the database did not answer, and the session passed or was not known.
    """

    result: Literal["hit", "miss", "invalid", "outage"]


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call of /auth/xrpc ended; `code` is that of our own error, if it was one."""

    status: int
    code: str


@dataclass(frozen=True, slots=True)
class PlaceTaken:
    """A place of a concurrency limit was taken (1) or given back (-1)."""

    place: Place
    change: int


@dataclass(frozen=True, slots=True)
class ConnectionsUsed:
    """So many connections of this process's database pool are in use now."""

    count: int


@dataclass(frozen=True, slots=True)
class RequestServed:
    """A request was answered; `route` is its template, empty when none matched."""

    route: str
    status: int
    seconds: float


@dataclass(frozen=True, slots=True)
class FailureAnswered:
    """A failure was shown to its caller, by HTTP or gRPC."""

    error: Exception
    code: str


@dataclass(frozen=True, slots=True)
class SweepEnded:
    """A sweep ended; `rows` were deleted by kind, None if it did not come to an end."""

    rows: Mapping[str, int] | None


@contextmanager
def sign_in_step(
    observe: Observer,
    step: Literal["start", "finish"],
    monotonic: Callable[[], float] = time.monotonic,
) -> Iterator[None]:
    """Report how the half of a login inside this block ended."""
    began = monotonic()
    try:
        yield
    except Exception as error:
        observe(SignInStep(step, error, monotonic() - began))
        raise
    observe(SignInStep(step, None, monotonic() - began))
