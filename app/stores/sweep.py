"""The statements of the sweep: delete expired rows, LIMIT at a time.

One call is one short transaction, so that logins do not wait long for SQLite's write
lock. `app.flows.sweep` decides what has expired and how often to call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import TextClause, text

from app.atproto.syntax.grammar import Did

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.flows.sweep import Expired, Kind
    from app.stores.database import Database

LIMIT: Final = 500

DELETE: Final[dict[Kind, TextClause]] = {
    "auth_requests": text("""
        DELETE FROM oauth_auth_requests WHERE state_hash IN (
            SELECT state_hash FROM oauth_auth_requests
            WHERE expires_at <= :before ORDER BY expires_at LIMIT :limit)
    """),
    "callback_answers": text("""
        DELETE FROM callback_answers WHERE id IN (
            SELECT id FROM callback_answers
            WHERE expires_at <= :before ORDER BY expires_at LIMIT :limit)
    """),
    "ended_sessions": text("""
        DELETE FROM sessions WHERE sid IN (
            SELECT sid FROM sessions
            WHERE ended_at <= :before ORDER BY ended_at LIMIT :limit)
    """),
    "expired_sessions": text("""
        DELETE FROM sessions WHERE sid IN (
            SELECT sid FROM sessions
            WHERE expires_at <= :before ORDER BY expires_at LIMIT :limit)
    """),
    "native_logins": text("""
        DELETE FROM native_logins WHERE login_id IN (
            SELECT login_id FROM native_logins
            WHERE expires_at <= :before ORDER BY expires_at LIMIT :limit)
    """),
    "cache_entries": text("""
        DELETE FROM cache_entries WHERE key IN (
            SELECT key FROM cache_entries
            WHERE expires_at <= :before ORDER BY expires_at LIMIT :limit)
    """),
    "audit_events": text("""
        DELETE FROM audit_events WHERE id IN (
            SELECT id FROM audit_events
            WHERE created_at <= :before ORDER BY created_at LIMIT :limit)
    """),
}
ORPHANS = text("""
    SELECT did, session_id FROM oauth_sessions AS grants
    WHERE created_at <= :created_before AND NOT EXISTS (
        SELECT 1 FROM sessions
        WHERE sessions.did = grants.did
          AND sessions.oauth_session_id = grants.session_id
          AND sessions.ended_at IS NULL AND sessions.expires_at > :now)
    ORDER BY created_at LIMIT :limit
""")


class SqlExpired:
    """Expired rows of all tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def delete(self, kind: Kind, before: float) -> int:
        """Delete at most LIMIT rows that expired before; return how many.

        Not durable: after a power cut, rows that came back are swept again.
        """
        with self._database.write(durable=False) as connection:
            result = connection.execute(
                DELETE[kind], {"before": int(before), "limit": LIMIT}
            )
            return result.rowcount

    def orphans(
        self, *, created_before: float, now: float, limit: int
    ) -> Sequence[tuple[Did, str]]:
        """Return OAuth sessions, by DID and id, that have no live session."""
        bounds = {"created_before": int(created_before), "now": now, "limit": limit}
        with self._database.read() as connection:
            rows = connection.execute(ORPHANS, bounds).all()
        return [(Did(row.did), row.session_id) for row in rows]


if TYPE_CHECKING:

    def _fits(expired: SqlExpired) -> Expired:
        return expired
