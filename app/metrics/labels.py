"""Labels: words of ours for hosts, statuses, errors and kinds; never a foreign text."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from app.atproto import errors as atproto
from app.atproto.events import RequestEnded
from app.failures import row_for
from app.flows.errors import HostRateLimited, TooManyRequests

OTHER: Final = "other"

BSKY: Final = ("bsky.social", "bsky.network", "bsky.app")

LIMITS: Final = frozenset(
    {"address", "host", "call", "token", "refusal", "service", "streams", "calls"}
)

REASONS: Final = (
    (atproto.HostUnknown, "unknown_name"),
    (atproto.HostCircuitOpen, "circuit_open"),
    (atproto.HostUnreachable, "unreachable"),
    (atproto.UnsafeURL, "unsafe"),
    (atproto.ClientBusy, "busy"),
    (atproto.ServerInvalid, "invalid"),
)
"""Why a request had no answer; the first class that fits."""


def one_of(value: str, known: Collection[str]) -> str:
    """Return the value if it is one that we know, else `other`."""
    return value if value in known else OTHER


def host_class(host: str, plc: str) -> str:
    """Return the class of a host, whose name is no label: a stranger chose it."""
    if host == plc:
        return "plc"
    if host in BSKY or host.endswith(tuple(f".{name}" for name in BSKY)):
        return "bsky"
    return OTHER


def status_class(status: int) -> str:
    """Return `2xx` and so on; 429 by itself."""
    if status == 429:
        return "429"
    return f"{status // 100}xx" if 100 <= status < 600 else OTHER


def result_of(event: RequestEnded) -> str:
    """Return how a request to another host ended."""
    if event.status is not None:
        return status_class(event.status)
    return next(
        (word for kind, word in REASONS if isinstance(event.error, kind)), OTHER
    )


def outcome_of(error: Exception | None) -> tuple[str, str]:
    """Return outcome and code of a half of a login; the code is of the error table."""
    if error is None:
        return "ok", ""
    row = row_for(error)
    return "failed" if row.status >= 500 else "refused", row.code


def limit_of(error: Exception) -> str | None:
    """Return the limit that refused a request; None for any other failure."""
    if isinstance(error, HostRateLimited):
        return "pds"
    if isinstance(error, TooManyRequests):
        return one_of(error.kind, LIMITS)
    return None
