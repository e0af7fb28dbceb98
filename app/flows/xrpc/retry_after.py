"""Hosts that asked us to wait (429), and until when they are left alone.

Kept for each account and each verb, in the cache that workers and nodes share: hosts
count an account's writes apart from everybody's reads, and what one person uses up must
close the host to nobody else. Where a host meant all of us, each of the others hears
it once.
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
    """Remembers who is to be left alone."""

    cache: Cache
    clock: Callable[[], float]

    def check(self, did: Did, verb: str) -> None:
        """Let a call go out.

        Raises:
            HostRateLimited: the account's host has asked us to wait.
        """
        until = self.cache.get(_place(did, verb))
        left = float(until) - self.clock() if until else 0.0
        if left > 0:
            raise HostRateLimited(left)

    def begin(self, did: Did, verb: str, headers: Mapping[str, str]) -> float:
        """Leave the account's host alone, as an answer asks; return the seconds."""
        now = self.clock()
        seconds = min(max(wait_of(headers, now), 1.0), LONGEST)
        self.cache.put(_place(did, verb), str(now + seconds), lifetime=seconds)
        return seconds


def wait_of(headers: Mapping[str, str], now: float) -> float:
    """Return the seconds that a 429 asks for (RFC 9110 §10.2.3, RateLimit-Reset)."""
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
