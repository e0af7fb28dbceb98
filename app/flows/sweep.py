"""Sweep: delete what is over, and give back grants without a session.

Runs from a timer, beside the service: in small steps with a pause between them, so that
logins get their turn at the database. Every node has the timer; a lease in the database
lets one of them sweep at a time.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from app.atproto.syntax.grammar import Did
from app.flows.native.wait import DELIVERY_WINDOW

Kind = Literal[
    "auth_requests",
    "callback_answers",
    "ended_sessions",
    "expired_sessions",
    "native_logins",
    "cache_entries",
    "audit_events",
]

MAX_STEPS: Final = 2_000
"""Steps of one kind in one run; what is left then waits for the next run."""

PAUSE: Final = 0.01
"""Seconds between two steps: others that wait for the database get their turn."""

MAX_ORPHANS: Final = 50
"""Grants given back in one run: each asks a host, which may be slow."""

ORPHAN_AGE: Final = 3_600.0
"""A login keeps its grant before its session: younger ones may be such logins."""

AUDIT_LIFETIME: Final = 90 * 86_400.0

LEASE: Final = 60.0
"""Seconds for which a sweep is believed to go on; it says so again while it does.

Far more than one step takes, so that a sweep that is slow keeps its lease, and less
than the time between two sweeps, so that one that died costs no other a turn. Nodes
compare it with their own clocks, which may differ by half of it.
"""


class Lease(Protocol):
    """The right to do what one process at a time may do, on any node."""

    def take(self, holder: str, *, until: float, now: float) -> bool:
        """Take or prolong it; False while another holder's has not ended."""

    def release(self, holder: str) -> None:
        """End the holder's lease; another's is left alone."""


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
    native_logins: int
    oauth_sessions: int
    cache_entries: int
    audit_events: int


@dataclass(slots=True)
class _Turn:
    """One sweep's hold on the lease."""

    lease: Lease
    clock: Callable[[], float]
    holder: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    until: float = 0.0

    def lasts(self) -> bool:
        """Take the lease, or prolong it in good time; False when it is another's."""
        now = self.clock()
        if self.until - now > LEASE / 2:
            return True
        taken = self.lease.take(self.holder, until=now + LEASE, now=now)
        self.until = now + LEASE if taken else 0.0
        return taken

    def end(self) -> None:
        """Let the next one sweep."""
        self.lease.release(self.holder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Delete what is over."""

    expired: Expired
    lease: Lease
    revoke: Callable[[Did, str], object]
    """Revokes an OAuth session at its host and deletes it here, for any answer."""
    clock: Callable[[], float]
    token_lifetime: float
    audit_lifetime: float = AUDIT_LIFETIME
    pause: Callable[[float], object] = time.sleep

    def run(self) -> Swept | None:
        """Sweep everything once; None when another sweep is running."""
        turn = _Turn(self.lease, self.clock)
        if not turn.lasts():
            return None
        try:
            return self._sweep(turn)
        finally:
            turn.end()

    def _sweep(self, turn: _Turn) -> Swept:
        """Sweep as long as the turn lasts.

        A session that ended is kept as long as a platform token of it may live, to be
        told from one that never was; a native login as long as one that was confirmed
        at its last moment may still be collected. The grant of one without a
        confirmation is an orphan by then: its session ended with it.
        """
        now = self.clock()
        tokens_gone = now - self.token_lifetime
        return Swept(
            auth_requests=self._drain("auth_requests", now, turn=turn)
            + self._drain("callback_answers", now, turn=turn),
            sessions=self._drain("ended_sessions", tokens_gone, turn=turn)
            + self._drain("expired_sessions", tokens_gone, turn=turn),
            native_logins=self._drain(
                "native_logins", now - DELIVERY_WINDOW, turn=turn
            ),
            oauth_sessions=self._revoke_orphans(now, turn),
            cache_entries=self._drain("cache_entries", now, turn=turn),
            audit_events=self._drain(
                "audit_events", now - self.audit_lifetime, turn=turn
            ),
        )

    def _drain(self, kind: Kind, before: float, *, turn: _Turn) -> int:
        total = 0
        for _ in range(MAX_STEPS):
            deleted = self.expired.delete(kind, before) if turn.lasts() else 0
            if not deleted:
                break
            total += deleted
            self.pause(PAUSE)
        return total

    def _revoke_orphans(self, now: float, turn: _Turn) -> int:
        # A grant without a session is a token that lives at a host for months and that
        # no one can sign out of here: deleting our row alone would not end it.
        orphans = self.expired.orphans(
            created_before=now - ORPHAN_AGE, now=now, limit=MAX_ORPHANS
        )
        revoked = 0
        for did, session_id in orphans:
            if not turn.lasts():
                break
            self.revoke(did, session_id)
            revoked += 1
        return revoked
