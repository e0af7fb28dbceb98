"""ReadEvents: pages, cursors, and polls that wait."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from app.atproto.stores.memory import MemoryCache
from app.flows.errors import CursorExpired, ServiceKeyInvalid, TooManyRequests
from app.flows.limits.concurrency import ConcurrencyLimit
from app.flows.services.events import ReadEvents, ServiceEvent
from app.flows.services.keys import PREFIX, ServiceAccess, ServiceKey
from tests.fakes.clock import NOON

SECRET = f"{PREFIX}canary"


@dataclass
class MemoryEvents:
    """Events that are kept, and the number of the newest, kept or not."""

    rows: list = field(default_factory=list)
    newest: int = 0
    looks: int = 0

    def add(self, did="did:plc:alice"):
        self.newest += 1
        event = ServiceEvent(
            seq=self.newest,
            event_id=f"{self.newest:016x}",
            event="disabled",
            did=did,
            detail={},
            created_at=NOON,
        )
        self.rows.append(event)
        return event

    def since(self, seq, limit):
        return [event for event in self.rows if event.seq >= seq][:limit]

    def last(self):
        self.looks += 1
        return self.newest


@dataclass
class OneKey:
    """The key of one service, until it is revoked."""

    key: ServiceKey | None
    uses: list = field(default_factory=list)

    def by_secret(self, secret):
        return self.key if secret == SECRET else None

    def note_use(self, name, now):
        self.uses.append(now)
        self.key = replace(self.key, used_at=now)


@pytest.fixture
def events():
    return MemoryEvents()


@pytest.fixture
def keys():
    key = ServiceKey(name="wiki", may="events", created_by="carol", created_at=NOON)
    return OneKey(key)


@pytest.fixture
def meanwhile():
    """What happens in the first pause of a poll."""
    return []


@pytest.fixture
def read(events, keys, limits, clock, meanwhile):
    def pause(seconds):
        clock.advance(seconds)
        if meanwhile:
            meanwhile.pop()()

    return ReadEvents(
        access=ServiceAccess(keys=keys, rates=limits, clock=clock),
        stored=events,
        polls=ConcurrencyLimit("polls", per_key=2, retry_after=5),
        newest=MemoryCache(clock, max_entries=1),
        monotonic=clock,
        pause=pause,
        size=3,
    )


def asks(read, after="", *, seconds=0.0):
    return read(SECRET, after=after, seconds=seconds, network="192.0.2.1")


def numbers(page):
    return [event.seq for event in page.events]


def test_pages_follow_each_other_without_a_gap(read, events):
    for _ in range(7):
        events.add()
    first = asks(read)
    second = asks(read, first.next)
    third = asks(read, second.next)

    assert [numbers(page) for page in (first, second, third)] == [
        [1, 2, 3],
        [4, 5, 6],
        [7],
    ]
    assert [page.more for page in (first, second, third)] == [True, True, False]
    assert asks(read, first.next) == second


def test_deleted_accounts_are_left_out_and_the_cursor_moves_on(read, events):
    events.add(did=None)
    last = events.add(did=None)

    page = asks(read)

    assert (numbers(page), page.next) == ([], last.cursor)


class EventsMeanwhile(MemoryEvents):
    """An event comes after each read."""

    def since(self, seq, limit):
        read = super().since(seq, limit)
        self.add()
        return read

    def last(self):
        newest = super().last()
        self.add()
        return newest


@pytest.mark.parametrize(("after", "missed"), [("", 0), ("latest", 1)])
def test_event_that_comes_during_the_first_read_is_in_the_next(read, after, missed):
    stored = EventsMeanwhile()
    if after:
        stored.add()
        stored.rows.clear()
    reading = replace(read, stored=stored)

    page = reading(SECRET, after=after, seconds=0, network="192.0.2.0/24")
    seen = [event.seq for event in page.events]
    page = reading(SECRET, after=page.next, seconds=0, network="192.0.2.0/24")

    assert (seen + [event.seq for event in page.events])[:2] == [missed + 1, missed + 2]


def test_latest_begins_after_the_newest_event_kept_or_not(read, events):
    assert asks(read, "latest").next == "0-"
    last = events.add()
    assert asks(read, "latest").next == last.cursor
    events.rows.clear()
    assert asks(read, "latest").next == "1-"
    assert asks(read).next == "1-"


def test_cursor_of_a_swept_event_goes_on_while_no_event_after_it_is_missing(
    read, events
):
    cursors = [events.add().cursor for _ in range(3)]
    del events.rows[:2]

    assert numbers(asks(read, cursors[1])) == [3]
    with pytest.raises(CursorExpired):
        asks(read, cursors[0])
    events.rows.clear()
    assert numbers(asks(read, cursors[2])) == []
    with pytest.raises(CursorExpired):
        asks(read, cursors[1])


def test_poll_ends_with_the_next_event(read, events, meanwhile):
    meanwhile.append(events.add)

    assert numbers(asks(read, "latest", seconds=30)) == [1]


def test_poll_without_an_event_ends_after_its_time_and_at_most_thirty_seconds(
    read, events, clock
):
    for seconds, waited in ((5, 5), (300, 30)):
        begun = clock()
        page = asks(read, "latest", seconds=seconds)
        assert (numbers(page), page.next) == ([], "0-")
        assert clock() - begun == waited


def test_poll_ends_when_the_process_stops(read, clock, meanwhile):
    begun = clock()
    meanwhile.append(read.ending.set)

    assert numbers(asks(read, "latest", seconds=30)) == []
    assert clock() - begun == 1


def test_poll_of_a_key_that_is_revoked_meanwhile_tells_nothing(
    read, events, keys, meanwhile
):
    def revoke():
        events.add()
        keys.key = None

    meanwhile.append(revoke)

    with pytest.raises(ServiceKeyInvalid):
        asks(read, "latest", seconds=30)


def test_polls_of_a_key_beyond_its_places_are_refused(read, meanwhile):
    refused = []

    def third():
        with pytest.raises(TooManyRequests) as caught:
            asks(read, "latest", seconds=1)
        refused.append(caught.value.kind)

    meanwhile += [third, lambda: asks(read, "latest", seconds=1)]

    asks(read, "latest", seconds=1)

    assert refused == ["polls"]
    assert asks(read, "latest").next == "0-"


def test_polls_of_a_process_share_their_looks(read, events, meanwhile):
    meanwhile.append(lambda: asks(read, "latest", seconds=1))
    events.looks = 0

    asks(read, "latest", seconds=1)

    # Each asks once for `latest`; one of the two looked for both after the pause.
    assert events.looks <= 4


def test_last_use_of_a_key_is_noted_once_a_minute(read, keys, clock):
    for seconds in (0, 59, 1):
        clock.advance(seconds)
        asks(read)

    assert keys.uses == [NOON, NOON + 60]
