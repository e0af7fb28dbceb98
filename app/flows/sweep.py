"""Sweep: delete what is over, and give back grants that nobody can use any more.

Runs from a timer, beside the service: in small steps with a pause between them, so that
logins get their turn at the database. Two sweeps at once do no harm.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from app.atproto.syntax import Did

Kind = Literal[
    "auth_requests",
    "ended_sessions",
    "expired_sessions",
    "cache_entries",
    "audit_events",
]

MAX_STEPS: Final = 2_000
"""Steps of one kind in one run; what is left then waits for the next run."""

PAUSE: Final = 0.01
"""Seconds between two steps: whoever waits for the database gets its turn."""

MAX_ORPHANS: Final = 50
"""Grants given back in one run: each asks a host, which may be slow."""

ORPHAN_AGE: Final = 3_600.0
"""A login keeps its grant before its session: younger ones may be such logins."""

AUDIT_LIFETIME: Final = 90 * 86_400.0


class Expired(Protocol):
    """What can be swept."""

    def delete(self, kind: Kind, before: float) -> int:
        """Delete some of what was over before, in one short step; 0 at the end."""

    def orphans(
        self, *, created_before: float, now: float, limit: int
    ) -> Sequence[tuple[Did, str]]:
        """Return OAuth sessions, by DID and id, that no live session stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """How much was deleted."""

    auth_requests: int
    sessions: int
    oauth_sessions: int
    cache_entries: int
    audit_events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Delete what is over."""

    expired: Expired
    revoke: Callable[[Did, str], object]
    """Revokes an OAuth session at its host and deletes it here, whatever it answers."""
    clock: Callable[[], float]
    token_lifetime: float
    audit_lifetime: float = AUDIT_LIFETIME
    pause: Callable[[float], object] = time.sleep

    def run(self) -> Swept:
        """Sweep everything once.

        A session that ended is kept as long as a platform token of it may live, to be
        told from one that never was.
        """
        now = self.clock()
        tokens_gone = now - self.token_lifetime
        return Swept(
            auth_requests=self._drain("auth_requests", now),
            sessions=self._drain("ended_sessions", tokens_gone)
            + self._drain("expired_sessions", tokens_gone),
            oauth_sessions=self._revoke_orphans(now),
            cache_entries=self._drain("cache_entries", now),
            audit_events=self._drain("audit_events", now - self.audit_lifetime),
        )

    def _drain(self, kind: Kind, before: float) -> int:
        total = 0
        for _ in range(MAX_STEPS):
            deleted = self.expired.delete(kind, before)
            if not deleted:
                break
            total += deleted
            self.pause(PAUSE)
        return total

    def _revoke_orphans(self, now: float) -> int:
        # A grant without a session is a token that lives at a host for months and that
        # nobody can sign out of here: deleting our row alone would not end it.
        orphans = self.expired.orphans(
            created_before=now - ORPHAN_AGE, now=now, limit=MAX_ORPHANS
        )
        for did, session_id in orphans:
            self.revoke(did, session_id)
        return len(orphans)
