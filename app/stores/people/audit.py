"""Audit events: only appended, and deleted by the sweep when old."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.stores.sql.records import insert_into

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.atproto.syntax.grammar import Did
    from app.flows.ports import Audit
    from app.stores.sql.database import Database

COLUMNS = ("id", "event", "did", "sid", "detail", "created_at")
RECORD = text(insert_into("audit_events", COLUMNS))


class SqlAudit:
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
        """Append one event. `detail` is JSON and holds no secret."""
        row = {
            "id": _event_id(now),
            "event": event,
            "did": did,
            "sid": sid,
            "detail": json.dumps(dict(detail or {})),
            "created_at": int(now),
        }
        with self._database.write() as connection:
            connection.execute(RECORD, row)


def _event_id(now: float) -> str:
    # 14 hexadecimal digits of microseconds sort in time order until the year 4253.
    return f"{int(now * 1_000_000):014x}{secrets.token_hex(9)}"


if TYPE_CHECKING:

    def _fits(audit: SqlAudit) -> Audit:
        return audit
