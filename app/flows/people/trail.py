"""Read the audit trail: `audit`, and what the account page shows of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from app.atproto.syntax.grammar import Did

STEP: Final = 500
"""Events that one statement reads."""

MOST_SHOWN: Final = 5
"""Events that the account page shows."""

PAGE: Final = 50
"""Events of one page of a person's own events."""

LOOK_INTERVAL: Final = 1.0
"""Seconds between two looks for new events."""

OVERLAP: Final = 15.0
"""Seconds that are read again while following: another node may commit an event later
than one with a younger time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One event; `detail` holds no secret."""

    id: str
    event: str
    did: str | None
    """After the account was deleted, a mark in place of the DID."""
    sid: str | None
    detail: dict[str, object] = field(default_factory=dict)
    created_at: float


class AuditTrail(Protocol):
    """The audit events, in the order in which they happened."""

    def read(
        self,
        *,
        did: str | None,
        event: str | None,
        since: float,
        after: str,
        limit: int,
    ) -> Sequence[AuditEvent]:
        """Return the first events since a time and after an id ("" for all)."""

    def latest(self, did: Did, limit: int, *, before: str = "") -> Sequence[AuditEvent]:
        """Return the latest events of an account, the latest first.

        `before` is the id of the event after which a page goes on, "" for the first.
        Without calls of services (`xrpc`): thousands a day would hide all others.
        """

    def end_of(self, did: Did, sid: str) -> AuditEvent | None:
        """Return the event with which a session of the account ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAudit:
    """`audit [--of WHO] [--event NAME] [--since 24h] [--follow]`."""

    trail: AuditTrail
    clock: Callable[[], float]
    pause: Callable[[float], object] = time.sleep

    def since(
        self, since: float, *, did: str | None = None, event: str | None = None
    ) -> Iterator[AuditEvent]:
        """Yield the events since a time (epoch seconds)."""
        after = ""
        while True:
            step = self.trail.read(
                did=did, event=event, since=since, after=after, limit=STEP
            )
            yield from step
            if len(step) < STEP:
                return
            after = step[-1].id

    def follow(
        self, since: float, *, did: str | None = None, event: str | None = None
    ) -> Iterator[AuditEvent]:
        """Yield the events since a time, then each new one, without an end."""
        seen: dict[str, float] = {}
        while True:
            for found in self.since(since, did=did, event=event):
                if found.id not in seen:
                    yield found
                seen[found.id] = found.created_at
            since = max(since, self.clock() - OVERLAP)
            seen = {known: at for known, at in seen.items() if at >= since - OVERLAP}
            self.pause(LOOK_INTERVAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Some of a person's own events, the latest first."""

    events: Sequence[AuditEvent]
    older: str
    """What to ask the next page with; "" on the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnEvents:
    """What the account page shows a person of their own audit events."""

    trail: AuditTrail

    def __call__(self, did: Did) -> Sequence[AuditEvent]:
        """Return the latest events, without the calls that services made."""
        return self.trail.latest(did, MOST_SHOWN)

    def page(self, did: Did, *, before: str) -> EventPage:
        """Return the events before an event's id; "" begins with the latest."""
        found = self.trail.latest(did, PAGE + 1, before=before)
        older = found[PAGE - 1].id if len(found) > PAGE else ""
        return EventPage(events=found[:PAGE], older=older)
