"""Sweep: delete expired rows, then revoke the grants that no session uses any more.

A timer runs it beside the service. It deletes in small steps with pauses, so that
logins get their turn at the database, and everything here before any host is asked.
Every node has the timer; a lease in the database lets one node sweep at a time.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Final, Literal, Protocol

from app.atproto.client import Revocation
from app.atproto.errors import AtprotoError
from app.atproto.http.types import Deadline
from app.atproto.syntax.grammar import Did
from app.flows.native.wait import DELIVERY_WINDOW
from app.telemetry.events import Observer, SweepEnded, ignore

from .counted import counted
from .errors import StorageFailed
from .services.events import LIFETIME as EVENT_LIFETIME

log = logging.getLogger(__name__)

Kind = Literal[
    "auth_requests",
    "callback_answers",
    "ended_sessions",
    "expired_sessions",
    "native_logins",
    "refresh_successors",
    "cache_entries",
    "audit_events",
    "username_holds",
    "invitations",
    "service_events",
    "provider_codes",
    "provider_assertions",
    "provider_grants",
    "provider_successors",
    "provider_tokens",
    "provider_requests",
]

MAX_STEPS: Final = 2_000
"""Steps of one kind in one run; the next run deletes the rest."""

PAUSE: Final = 0.01
"""Seconds between two steps, in which others get the database."""

MAX_ORPHANS: Final = 200
"""Grants that one run tries to revoke."""

MAX_RUNS: Final = 3
"""Runs that try to reach a grant at least."""

REVOKED_WITHIN: Final = 86_400.0
"""Seconds for which runs try to revoke a grant. Then it is deleted here without a
revocation, so that dead hosts cannot make the table grow."""

REVOCATIONS_BUDGET: Final = 25.0
"""Seconds for all revocations of one run; less than half of LEASE."""

REVOCATION_LIMIT: Final = 3.0
"""Seconds for one revocation."""

AT_ONCE: Final = 8
"""Revocations of one run at the same time."""

PER_HOST: Final = 2
"""Revocations of one run at the same time at one host."""

ORPHAN_AGE: Final = 3_600.0
"""Seconds; a login stores its grant before its session, so a younger grant may belong
to a login that is not finished."""

AUDIT_LIFETIME: Final = 90 * 86_400.0

LEASE: Final = 60.0
"""Seconds after which a sweep that does not prolong its lease is taken for dead: far
more than one step takes, and less than the time between two sweeps."""


class Lease(Protocol):
    """The right to work that one process of all nodes does at a time."""

    def take(self, holder: str, *, until: float, now: float) -> bool:
        """Take or prolong it; False while another holder has it."""

    def release(self, holder: str) -> None:
        """End the holder's lease; no effect on another holder's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """An OAuth session that no live session uses."""

    did: Did
    session_id: str
    issuer: str


class Expired(Protocol):
    """What can be swept."""

    def delete(self, kind: Kind, before: float) -> int:
        """Delete some rows that expired before, in one short step; 0 at the end."""

    def enforce_bounds(self) -> int:
        """Delete some of the oldest rows beyond the tables' bounds; 0 at the end."""

    def orphans(
        self, *, created_before: float, now: float, limit: int
    ) -> Sequence[Orphan]:
        """Return grants without a live session, the least often tried first."""

    def count_try(self, orphan: Orphan, *, now: float) -> None:
        """Count that a sweep is about to revoke this grant."""

    def give_up(self, runs: int, *, since: float, now: float) -> int:
        """Delete grants without a live session: tried so often, and since then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """How many rows were deleted; `oauth_sessions` were revoked or given up."""

    auth_requests: int
    sessions: int
    native_logins: int
    refresh_successors: int
    """Tokens that were kept encrypted for a lost answer, and that were cleared."""
    oauth_sessions: int
    cache_entries: int
    audit_events: int
    username_holds: int
    invitations: int
    service_events: int
    provider_codes: int
    provider_assertions: int
    provider_grants: int
    provider_tokens: int
    provider_requests: int
    beyond_bounds: int
    keys: int
    """Signing keys that were added, that began to sign, or that were deleted."""


@dataclass(slots=True)
class _Turn:
    """One sweep's hold on the lease."""

    lease: Lease
    clock: Callable[[], float]
    holder: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    until: float = 0.0

    def lasts(self) -> bool:
        """Take the lease, or prolong it in time; False if another holder has it."""
        now = self.clock()
        if self.until - now > LEASE / 2:
            return True
        taken = self.lease.take(self.holder, until=now + LEASE, now=now)
        self.until = now + LEASE if taken else 0.0
        return taken

    def end(self) -> None:
        """Release the lease."""
        self.lease.release(self.holder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Delete what has expired, and revoke what is not used any more."""

    expired: Expired
    lease: Lease
    revoke: Callable[[Did, str, Deadline], Revocation | None]
    """Revokes an OAuth session at its host, and deletes it here if that answered."""
    clock: Callable[[], float]
    token_lifetime: float
    keep_keys: Callable[[], int]
    """Brings the key rings up to date; returns how many keys changed."""
    audit_lifetime: float = AUDIT_LIFETIME
    note_end: Callable[[float], object] = lambda _now: None
    """Notes when a sweep has ended, for `doctor`."""
    pause: Callable[[float], object] = time.sleep
    observe: Observer = ignore

    def run(self) -> Swept | None:
        """Sweep everything once; None if another sweep is running."""
        turn = _Turn(self.lease, self.clock)
        if not turn.lasts():
            return None
        rows: dict[str, int] | None = None
        try:
            swept = self._sweep(turn)
            rows = asdict(swept)
        finally:
            self.observe(SweepEnded(rows))
            turn.end()
        self.note_end(self.clock())
        return swept

    def _sweep(self, turn: _Turn) -> Swept:
        """Delete local rows first, then ask hosts.

        An ended session is kept while a platform token of it may be valid, so that it
        is told apart from an unknown one. A native login is kept while the app may
        fetch its token.
        """
        now = self.clock()
        tokens_gone = now - self.token_lifetime

        def drain(kind: Kind, before: float) -> int:
            return self._repeat(lambda: self.expired.delete(kind, before), turn)

        return Swept(
            auth_requests=drain("auth_requests", now) + drain("callback_answers", now),
            sessions=drain("ended_sessions", tokens_gone)
            + drain("expired_sessions", tokens_gone),
            native_logins=drain("native_logins", now - DELIVERY_WINDOW),
            refresh_successors=drain("refresh_successors", now - DELIVERY_WINDOW)
            + drain("provider_successors", now - DELIVERY_WINDOW),
            cache_entries=drain("cache_entries", now),
            audit_events=drain("audit_events", now - self.audit_lifetime),
            username_holds=drain("username_holds", now),
            invitations=drain("invitations", now),
            service_events=drain("service_events", now - EVENT_LIFETIME),
            # A used one as well: a second use is of interest while it could be a first.
            provider_codes=drain("provider_codes", now),
            provider_assertions=drain("provider_assertions", now),
            provider_grants=drain("provider_grants", now),
            provider_tokens=drain("provider_tokens", now),
            provider_requests=drain("provider_requests", now),
            beyond_bounds=self._repeat(self.expired.enforce_bounds, turn),
            oauth_sessions=self._revoke_orphans(now, turn),
            # Last: keys that do not open let the rest be swept, and fail the command.
            keys=self.keep_keys() if turn.lasts() else 0,
        )

    def _repeat(self, step: Callable[[], int], turn: _Turn) -> int:
        total = 0
        for _ in range(MAX_STEPS):
            deleted = step() if turn.lasts() else 0
            if not deleted:
                break
            total += deleted
            self.pause(PAUSE)
        return total

    def _revoke_orphans(self, now: float, turn: _Turn) -> int:
        # Deleting a grant here does not end it: its tokens live on at the host.
        if not turn.lasts():
            return 0
        given_up = self.expired.give_up(MAX_RUNS, since=now - REVOKED_WITHIN, now=now)
        if given_up:
            grants = counted(given_up, "grant is", "grants are")
            log.warning("%s deleted without a revocation", grants)
        orphans = self.expired.orphans(
            created_before=now - ORPHAN_AGE, now=now, limit=MAX_ORPHANS
        )
        deadline = Deadline.after(REVOCATIONS_BUDGET)
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="revocations") as threads:
            lanes = [
                threads.submit(self._revoke_each, lane, deadline)
                for lane in _lanes(orphans)
            ]
        return given_up + sum(lane.result() for lane in lanes)

    def _revoke_each(self, orphans: Sequence[Orphan], deadline: Deadline) -> int:
        revoked = 0
        for orphan in orphans:
            if deadline.remaining() <= 0:
                break
            limit = Deadline.after(min(REVOCATION_LIMIT, deadline.remaining()))
            try:
                # First, so that a grant whose revocation ends the process counts too.
                self.expired.count_try(orphan, now=self.clock())
                revocation = self.revoke(orphan.did, orphan.session_id, limit)
            except (AtprotoError, StorageFailed) as error:
                log.warning("a grant of %s is not revoked: %s", orphan.issuer, error)
            else:
                revoked += revocation is None or revocation.is_answered
        return revoked


def _lanes(orphans: Sequence[Orphan]) -> Iterator[Sequence[Orphan]]:
    """Yield at most PER_HOST lists for each host; each is worked through in order."""
    by_host: dict[str, list[Orphan]] = defaultdict(list)
    for orphan in orphans:
        by_host[orphan.issuer].append(orphan)
    for turn in range(PER_HOST):
        for of_host in by_host.values():
            if lane := of_host[turn::PER_HOST]:
                yield lane
