"""Audit events: only appended, and deleted by the sweep when old."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping

from sqlalchemy import text

from app.atproto.syntax.grammar import Did
from app.flows.ports import Audit
from app.stores.sql.database import Database
from app.stores.sql.records import insert_into

COLUMNS = ("id", "event", "did", "sid", "detail", "created_at")
RECORD = text(insert_into("audit_events", COLUMNS))


class SqlAudit(Audit):
    """Audit events in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self,
        event: str,
        *,
        now: float,
        did: Did | None = None,
        sid: str | None = None,
        detail: Mapping[str, object] | None = None,
    ) -> None:
        with self._database.quick_write() as connection:
            connection.execute(
                RECORD, row_of_event(event, now=now, did=did, sid=sid, detail=detail)
            )

    def record_each(
        self,
        event: str,
        sessions: Collection[tuple[Did, str]],
        *,
        now: float,
        detail: Mapping[str, object],
    ) -> None:
        rows = [
            row_of_event(event, now=now, did=did, sid=sid, detail=detail)
            for did, sid in sessions
        ]
        if rows:
            with self._database.write() as connection:
                connection.execute(RECORD, rows)


def row_of_event(
    event: str,
    *,
    now: float,
    did: str | None,
    sid: str | None = None,
    detail: Mapping[str, object] | None,
) -> dict[str, object]:
    """Return the row of a new event, for RECORD."""
    return {
        "id": _event_id(now),
        "event": event,
        "did": did,
        "sid": sid,
        "detail": json.dumps(dict(detail or {})),
        "created_at": int(now),
    }


def _event_id(now: float) -> str:
    # 14 hexadecimal digits of microseconds sort in time order until the year 4253.
    return f"{int(now * 1_000_000):014x}{secrets.token_hex(9)}"
