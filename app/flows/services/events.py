"""Events of accounts for services: GET /auth/events, in order and at least once.

Events have numbers without gaps, in the order in which their transactions committed
(`app/stores/services/events.py`). A cursor names the last event that a service has
read; a service that asks again with an older one reads events again.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from app.atproto.stores.memory import MemoryCache
from app.flows.errors import CursorExpired, CursorInvalid
from app.flows.limits.concurrency import ConcurrencyLimit

from .keys import ServiceAccess

PAGE: Final = 200
"""Events of one answer; each is below 1 KB."""

LONGEST_WAIT: Final = 30
"""Seconds of a long poll; proxies cut connections that are silent for a minute."""

INTERVAL: Final = 1.0
"""Seconds after which a process looks whether there are new events. All polls of the
process share the look, so that it costs one statement a second at most."""

LIFETIME: Final = 30 * 86_400.0
"""Seconds for which an event is kept."""

POLLS_PER_KEY: Final = 4
"""Polls of one key that may wait in one process at once."""

POLLS: Final = 100
"""Polls of all keys that may wait in one process at once."""

LATEST: Final = "latest"
"""In place of a cursor: begin after the newest event."""

_CURSOR: Final = re.compile(r"(0|[1-9][0-9]{0,17})-([0-9a-f]{0,16})")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEvent:
    """One event; `did` is None after its account was deleted."""

    seq: int
    event_id: str
    event: str
    did: str | None
    detail: Mapping[str, object]
    created_at: float

    @property
    def cursor(self) -> str:
        """The cursor after this event."""
        return f"{self.seq}-{self.event_id}"


class ServiceEvents(Protocol):
    """The events that are kept, by their number."""

    def since(self, seq: int, limit: int) -> Sequence[ServiceEvent]:
        """Return events from a number on, in order."""

    def last(self) -> int:
        """Return the number of the newest event; 0 before the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """One answer. `more`: there may be further events, so ask again at once."""

    events: Sequence[ServiceEvent]
    next: str
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadEvents:
    """GET /auth/events."""

    access: ServiceAccess
    stored: ServiceEvents
    polls: ConcurrencyLimit
    newest: MemoryCache[int]
    """Number of the newest event, for `INTERVAL`."""
    ending: threading.Event = field(default_factory=threading.Event)
    """Set when the process stops: waiting polls end, and their services ask again."""
    monotonic: Callable[[], float] = time.monotonic
    size: int = PAGE
    pause: Callable[[float], object] | None = None
    """Waits for so many seconds; None waits for `ending` at the same time."""

    def __call__(
        self, secret: str | None, *, after: str, seconds: float, network: str
    ) -> EventPage:
        """Return the events after a cursor; wait so many seconds for the first.

        `after` is "" for all that are kept, or `LATEST`.

        Raises:
            ServiceKeyInvalid, ServiceKeyLacksRight: as `ServiceAccess.require`.
            TooManyRequests: too many calls, or too many waiting polls of the key.
            CursorInvalid: `after` is no cursor.
            CursorExpired: events after the cursor were deleted, or the cursor is of
                another database.
        """
        key = self.access.require(secret, "events", network=network)
        page = self._latest() if after == LATEST else self._read(after)
        if page.events or page.more or seconds <= 0:
            return page
        with self.polls.hold(key.name):
            is_news = self._wait(page.next, min(seconds, LONGEST_WAIT))
        if not is_news:
            return page
        self.access.look_up(secret, "events")  # it may have been revoked meanwhile
        return self._read(page.next)

    def _latest(self) -> EventPage:
        last = self.stored.last()
        read = self.stored.since(last, 1)
        is_kept = read and read[0].seq == last
        following = read[0].cursor if is_kept else f"{last}-"
        return EventPage(events=[], next=following, more=False)

    def _read(self, after: str) -> EventPage:
        if not after:
            return self._all()
        read = self._after(*_parse(after))
        if not read:
            return EventPage(events=[], next=after, more=False)
        return self._page(read)

    def _all(self) -> EventPage:
        # First the number: an event that comes between the two reads is after it.
        last = self.stored.last()
        read = self.stored.since(1, self.size)
        if not read:
            return EventPage(events=[], next=f"{last}-", more=False)
        return self._page(read)

    def _after(self, seq: int, event_id: str) -> Sequence[ServiceEvent]:
        """Return the events after a number, of which none is missing."""
        read = self.stored.since(seq, self.size + 1)
        if read and read[0].seq == seq:
            if event_id and read[0].event_id != event_id:
                raise CursorExpired
            return read[1:]
        if not read:  # no event is kept, not even that of the cursor
            if seq == self.stored.last():
                return []
            read = self.stored.since(
                seq, self.size
            )  # or they came between the two reads
        if not read or read[0].seq != seq + 1:
            raise CursorExpired
        return read[: self.size]

    def _page(self, read: Sequence[ServiceEvent]) -> EventPage:
        return EventPage(
            events=[event for event in read if event.did is not None],
            next=read[-1].cursor,
            more=len(read) >= self.size,
        )

    def _wait(self, cursor: str, seconds: float) -> bool:
        """Wait until there is an event after a cursor; False when there is none."""
        seq, _ = _parse(cursor)
        until = self.monotonic() + seconds
        while not self.ending.is_set():
            remaining = until - self.monotonic()
            if remaining <= 0:
                return False
            (self.pause or self.ending.wait)(min(INTERVAL, remaining))
            if self._newest() > seq:
                return True
        return False

    def _newest(self) -> int:
        newest = self.newest.get("newest")
        if newest is None:
            newest = self.stored.last()
            self.newest.put("newest", newest, lifetime=INTERVAL / 2)
        return newest


def _parse(cursor: str) -> tuple[int, str]:
    parsed = _CURSOR.fullmatch(cursor)
    if parsed is None:
        raise CursorInvalid
    return int(parsed[1]), parsed[2]
