"""Retry-After of hosts (429): until when no call goes to a host, per account and verb.

Kept in the cache that workers and nodes share. Hosts count the writes of an account
apart from reads, and one person's limit must not close the host to others. Where a host
limits our address, each of the other accounts is refused by it once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from app.atproto.stores.protocols import Cache
from app.atproto.syntax.grammar import Did
from app.flows.errors import HostRateLimited

UNSAID: Final = 60.0
"""Seconds to wait when a host does not say."""

LONGEST: Final = 24 * 3600.0
"""Seconds; hosts count writes by the day, and no longer."""

EPOCH: Final = 1_000_000_000.0
"""More is a time, less a number of seconds: RateLimit-Reset is written in both ways."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryAfter:
    """Remembers the accounts whose host asked us to wait."""

    cache: Cache
    clock: Callable[[], float]

    def check(self, did: Did, verb: str) -> None:
        """Raise while the host of an account waits.

        Raises:
            HostRateLimited: the account's host has asked us to wait.
        """
        until = self.cache.get(_place(did, verb))
        left = float(until) - self.clock() if until else 0.0
        if left > 0:
            raise HostRateLimited(left)

    def begin(self, did: Did, verb: str, headers: Mapping[str, str]) -> float:
        """Begin the wait that an answer asks for; return its seconds."""
        now = self.clock()
        seconds = min(max(wait_of(headers, now), 1.0), LONGEST)
        self.cache.put(_place(did, verb), str(now + seconds), lifetime=seconds)
        return seconds


def wait_of(headers: Mapping[str, str], now: float) -> float:
    """Return the seconds of Retry-After (RFC 9110 10.2.3) or RateLimit-Reset."""
    named = headers.get("Retry-After", "") or headers.get("RateLimit-Reset", "")
    if named.isascii() and named.isdigit() and len(named) < 12:
        seconds = float(named)
        return seconds - now if seconds > EPOCH else seconds
    try:
        return parsedate_to_datetime(named).timestamp() - now
    except (ValueError, OverflowError):
        return UNSAID


def _place(did: Did, verb: str) -> str:
    return f"pause:{verb}:{did}"
