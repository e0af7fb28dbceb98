"""The statements of the sweep: delete expired rows, LIMIT at a time.

One call is one short transaction, so that logins do not wait long for SQLite's write
lock. `app.flows.sweep` decides what has expired and how often to call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import TextClause, text

from app.flows.sweep import Orphan
from app.stores.sql.records import fetching
from app.stores.sql.row_bounds import MOST, RowBound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.flows.sweep import Expired, Kind
    from app.stores.sql.database import Database

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
    "username_holds": text("""
        DELETE FROM username_holds WHERE skeleton IN (
            SELECT skeleton FROM username_holds
            WHERE expires_at <= :before ORDER BY expires_at LIMIT :limit)
    """),
    "invitations": text("""
        DELETE FROM invitations WHERE invitation_id IN (
            SELECT invitation_id FROM invitations
            WHERE expires_at <= :before ORDER BY expires_at LIMIT :limit)
    """),
}
UNUSED: Final = """
    NOT EXISTS (
        SELECT 1 FROM sessions
        WHERE sessions.did = oauth_sessions.did
          AND sessions.oauth_session_id = oauth_sessions.session_id
          AND sessions.ended_at IS NULL AND sessions.expires_at > :now)
"""
# A login stores its grant before its session; a grant that had one is no login's.
WAS_USED: Final = """
    EXISTS (
        SELECT 1 FROM sessions
        WHERE sessions.did = oauth_sessions.did
          AND sessions.oauth_session_id = oauth_sessions.session_id)
"""
ORPHANS = fetching(
    ("did", "session_id", "issuer"),
    f"""
    SELECT {{columns}} FROM oauth_sessions
    WHERE (created_at <= :created_before OR {WAS_USED}) AND {UNUSED}
    ORDER BY COALESCE(sweep_runs, 0), created_at LIMIT :limit
    """,  # noqa: S608 - our names
)
COUNT_TRY = text("""
    UPDATE oauth_sessions SET sweep_runs = COALESCE(sweep_runs, 0) + 1
    WHERE did = :did AND session_id = :session_id
""")
GIVE_UP = text(f"""
    DELETE FROM oauth_sessions WHERE sweep_runs >= :runs AND {UNUSED}
""")  # noqa: S608 - our names


class SqlExpired:
    """Expired rows of all tables."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._bounds = [RowBound(name) for name in MOST]

    def delete(self, kind: Kind, before: float) -> int:
        """Delete at most LIMIT rows that expired before; return how many.

        Not durable: after a power cut, rows that came back are swept again.
        """
        with self._database.write(durable=False) as connection:
            result = connection.execute(
                DELETE[kind], {"before": int(before), "limit": LIMIT}
            )
            return result.rowcount

    def enforce_bounds(self) -> int:
        """Delete some of the oldest rows beyond each table's bound."""
        with self._database.write(durable=False) as connection:
            return sum(bound.enforce(connection) for bound in self._bounds)

    def orphans(
        self, *, created_before: float, now: float, limit: int
    ) -> Sequence[Orphan]:
        """Return grants without a live session, the least often tried first."""
        wanted = {"created_before": int(created_before), "now": now, "limit": limit}
        with self._database.read() as connection:
            rows = connection.execute(ORPHANS, wanted).mappings().all()
        return [Orphan(**row) for row in rows]

    def count_try(self, orphan: Orphan) -> None:
        """Count that a sweep is about to revoke this grant."""
        key = {"did": orphan.did, "session_id": orphan.session_id}
        with self._database.write(durable=False) as connection:
            connection.execute(COUNT_TRY, key)

    def give_up(self, runs: int, *, now: float) -> int:
        """Delete grants without a live session that were tried so many times."""
        with self._database.write(durable=False) as connection:
            return connection.execute(GIVE_UP, {"runs": runs, "now": now}).rowcount


if TYPE_CHECKING:

    def _fits(expired: SqlExpired) -> Expired:
        return expired
