"""Reading the audit: page by page, and following it without losing an event."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice

import pytest

from app.flows.people.trail import LOOK_INTERVAL, STEP, AuditEvent, ReadAudit


def event(number, *, at):
    return AuditEvent(
        id=f"{int(at):010d}-{number}",
        event="signed_in",
        did=None,
        sid=None,
        created_at=at,
    )


@dataclass
class FakeTrail:
    events: list = field(default_factory=list)

    def read(self, *, did, event, since, after, limit):
        found = sorted(self.events, key=lambda one: one.id)
        return [e for e in found if e.created_at >= since and e.id > after][:limit]


@pytest.fixture
def trail():
    return FakeTrail()


def test_since_reads_page_by_page_to_the_end(trail, clock):
    trail.events = [event(n, at=clock() + n) for n in range(2 * STEP + 1)]

    found = list(ReadAudit(trail=trail, clock=clock).since(0))

    assert len(found) == 2 * STEP + 1
    assert len({one.id for one in found}) == 2 * STEP + 1


def test_follow_yields_each_event_once_and_those_that_are_committed_late(trail, clock):
    """Another node may commit an event after one with a younger time."""
    first, late, last = (event(n, at=clock() + n) for n in (1, 2, 3))
    arriving = iter([[first], [last], [], [], [], [late]])

    def pause(seconds):
        assert seconds == LOOK_INTERVAL
        clock.advance(seconds)
        trail.events += next(arriving)

    reading = ReadAudit(trail=trail, clock=clock, pause=pause).follow(clock() - 60)

    assert list(islice(reading, 3)) == [first, last, late]


def test_follow_for_long_remembers_only_what_it_may_read_again(trail, clock):
    numbers = iter(range(1000))

    def pause(seconds):
        clock.advance(10)
        trail.events = [*trail.events[-5:], event(next(numbers), at=clock())]

    reading = ReadAudit(trail=trail, clock=clock, pause=pause).follow(clock())

    found = list(islice(reading, 100))
    assert len({one.id for one in found}) == 100
