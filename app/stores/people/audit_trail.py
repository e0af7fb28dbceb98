"""Read the audit events: ids sort in the order in which the events happened."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import TextualSelect

from app.atproto.syntax.grammar import Did
from app.flows.people.trail import AuditEvent, AuditTrail
from app.stores.sql.database import Database
from app.stores.sql.records import columns_of, fetching

COLUMNS = columns_of(AuditEvent)
SELECT = "SELECT {columns} FROM audit_events"
AFTER = "created_at >= :since AND id > :after"
ORDER = "ORDER BY id LIMIT :limit"
BY = {"did": "AND did = :did", "event": "AND event = :event"}
# As audit_events_but_calls has it, which the planners use for this condition alone.
LATEST = fetching(
    COLUMNS,
    f"{SELECT} WHERE did = :did AND event <> 'xrpc' AND id < :before"
    " ORDER BY id DESC LIMIT :limit",
)
END_OF = fetching(
    COLUMNS,
    f"{SELECT} WHERE did = :did AND event <> 'xrpc' AND sid = :sid"
    " AND event = 'session_ended' ORDER BY id DESC LIMIT 1",
)
LAST = "g"
"""Sorts after every id, which are hexadecimal digits, in every collation."""


class SqlAuditTrail(AuditTrail):
    """Audit events in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(
        self,
        *,
        did: str | None,
        event: str | None,
        since: float,
        after: str,
        limit: int,
    ) -> Sequence[AuditEvent]:
        by = {"did": did, "event": event}
        wanted = {name: value for name, value in by.items() if value is not None}
        conditions = " ".join([AFTER, *(BY[name] for name in wanted)])
        statement = fetching(COLUMNS, f"{SELECT} WHERE {conditions} {ORDER}")
        window = {"since": int(since), "after": after, "limit": limit}
        return self._events(statement, **wanted, **window)

    def latest(self, did: Did, limit: int, *, before: str = "") -> Sequence[AuditEvent]:
        return self._events(LATEST, did=did, limit=limit, before=before or LAST)

    def end_of(self, did: Did, sid: str) -> AuditEvent | None:
        return next(iter(self._events(END_OF, did=did, sid=sid)), None)

    def _events(self, statement: TextualSelect, **values: Any) -> list[AuditEvent]:
        return self._database.all(_event, statement, **values)


def _event(detail: str, **row: Any) -> AuditEvent:
    return AuditEvent(detail=json.loads(detail), **row)
