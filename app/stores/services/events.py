"""Service events: what happened to accounts, numbered in the order of commits.

Every transaction that adds an event takes its number from one row, whose lock it holds
until it commits. So a reader that sees a number sees all smaller ones: a number of a
sequence would become visible out of order, and a reader would step over the event of a
transaction that commits late. A transaction that is undone gives its number back, so
there are no gaps, and a reader notices events that were deleted.

`append` is the last statement of a transaction that may wait for another one: the row
is locked for the commit alone, and no two transactions wait for each other.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from app.flows.services.events import ServiceEvent, ServiceEvents
from app.stores.sql.database import Database
from app.stores.sql.quick import Executor
from app.stores.sql.records import columns_of, fetching, insert_into
from app.stores.sql.row_bounds import RowBound

COLUMNS = columns_of(ServiceEvent)
ADD = text(insert_into("service_events", COLUMNS))
# `last_at` never moves back, so that the order of times is that of the numbers: what is
# deleted by its age is always the beginning.
TAKE_NUMBERS = fetching(
    ("last", "last_at"),
    """
    INSERT INTO service_event_numbers (name, last, last_at)
    VALUES ('events', :count, :now)
    ON CONFLICT (name) DO UPDATE SET
        last = service_event_numbers.last + :count,
        last_at = CASE WHEN service_event_numbers.last_at > :now
                  THEN service_event_numbers.last_at ELSE :now END
    RETURNING {columns}
    """,
)
LAST = text("SELECT last FROM service_event_numbers WHERE name = 'events'")
SINCE = fetching(
    COLUMNS,
    "SELECT {columns} FROM service_events WHERE seq >= :seq ORDER BY seq LIMIT :limit",
)
FORGET = text("UPDATE service_events SET did = NULL, detail = '{}' WHERE did = :did")
BOUND = RowBound("service_events")


@dataclass(frozen=True, slots=True)
class NewEvent:
    """What happened to an account; `detail` holds no secret and no text of a host's."""

    event: str
    did: str
    detail: Mapping[str, object] = field(default_factory=dict)


def append(connection: Executor, events: Sequence[NewEvent], *, now: float) -> None:
    """Add events in the transaction of what they tell, as its last step."""
    if not events:
        return
    numbers = {"count": len(events), "now": int(now)}
    taken = connection.execute(TAKE_NUMBERS, numbers).mappings().one_or_none()
    first = taken["last"] - len(events) + 1
    for seq, new in enumerate(events, first):
        row = {
            "seq": seq,
            "event_id": secrets.token_hex(8),
            "event": new.event,
            "did": new.did,
            "detail": json.dumps(dict(new.detail)),
            "created_at": taken["last_at"],
        }
        connection.execute(ADD, row)
        BOUND.after_write(connection)


def forget(connection: Executor, did: str) -> None:
    """Remove an account from its events; their numbers stay."""
    connection.execute(FORGET, {"did": did})


class SqlServiceEvents(ServiceEvents):
    """Service events in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def since(self, seq: int, limit: int) -> Sequence[ServiceEvent]:
        return self._database.all(_event, SINCE, seq=seq, limit=limit)

    def last(self) -> int:
        with self._database.quick_read() as connection:
            return connection.execute(LAST).scalar() or 0


def _event(detail: str, **row: Any) -> ServiceEvent:
    return ServiceEvent(detail=json.loads(detail), **row)
