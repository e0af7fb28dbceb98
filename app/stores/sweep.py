"""The statements of the sweep: delete expired rows, LIMIT at a time.

One call is one short transaction, so that logins do not wait long for SQLite's write
lock. `app.flows.sweep` decides what has expired and how often to call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import TextClause, text

from app.flows.sweep import Expired, Kind, Orphan
from app.stores.sql.database import Database
from app.stores.sql.records import fetching
from app.stores.sql.row_bounds import MOST, RowBound

LIMIT: Final = 500

_ROWS: Final[dict[Kind, tuple[str, str, str]]] = {
    "auth_requests": ("oauth_auth_requests", "state_hash", "expires_at"),
    "callback_answers": ("callback_answers", "id", "expires_at"),
    "ended_sessions": ("sessions", "sid", "ended_at"),
    "expired_sessions": ("sessions", "sid", "expires_at"),
    "native_logins": ("native_logins", "login_id", "expires_at"),
    "cache_entries": ("cache_entries", "key", "expires_at"),
    "audit_events": ("audit_events", "id", "created_at"),
    "username_holds": ("username_holds", "skeleton", "expires_at"),
    "provider_assertions": ("provider_assertions", "assertion_hash", "expires_at"),
    "provider_codes": ("provider_codes", "code_hash", "expires_at"),
    "provider_grants": ("provider_grants", "grant_id", "expires_at"),
    "provider_tokens": ("provider_tokens", "token_hash", "expires_at"),
    "provider_requests": ("provider_requests", "request_hash", "expires_at"),
    "invitations": ("invitations", "invitation_id", "expires_at"),
}
"""The table of each kind, its primary key, and the time that decides."""


def _delete(table: str, key: str, time: str) -> TextClause:
    """Return the statement that deletes the oldest rows; each time has an index."""
    return text(f"""
        DELETE FROM {table} WHERE {key} IN (
            SELECT {key} FROM {table}
            WHERE {time} <= :before ORDER BY {time} LIMIT :limit)
    """)  # noqa: S608 - our names


# In the order of numbers alone: what is left is the end of the stream, without gaps.
_SERVICE_EVENTS: Final = text("""
    DELETE FROM service_events WHERE seq IN (
        SELECT seq FROM service_events
        WHERE created_at <= :before ORDER BY seq LIMIT :limit)
""")


def _clear(table: str, key: str) -> TextClause:
    """Return what clears successors of refresh tokens after their grace.

    Their sessions and grants stay.
    """
    return text(f"""
        UPDATE {table} SET refresh_successor = NULL WHERE {key} IN (
            SELECT {key} FROM {table}
            WHERE refresh_successor IS NOT NULL AND refreshed_at <= :before
            ORDER BY refreshed_at LIMIT :limit)
    """)  # noqa: S608 - our names


DELETE: Final[dict[Kind, TextClause]] = {
    **{kind: _delete(*rows) for kind, rows in _ROWS.items()},
    "service_events": _SERVICE_EVENTS,
    "refresh_successors": _clear("sessions", "sid"),
    "provider_successors": _clear("provider_grants", "grant_id"),
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
    UPDATE oauth_sessions SET
        sweep_runs = COALESCE(sweep_runs, 0) + 1,
        revoking_since = COALESCE(revoking_since, :now)
    WHERE did = :did AND session_id = :session_id
""")
GIVE_UP = text(f"""
    DELETE FROM oauth_sessions
    WHERE sweep_runs >= :runs AND revoking_since <= :since AND {UNUSED}
""")  # noqa: S608 - our names


class SqlExpired(Expired):
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
        with self._database.write(durable=False) as connection:
            return sum(bound.enforce(connection) for bound in self._bounds)

    def orphans(
        self, *, created_before: float, now: float, limit: int
    ) -> Sequence[Orphan]:
        return self._database.all(
            Orphan, ORPHANS, created_before=int(created_before), now=now, limit=limit
        )

    def count_try(self, orphan: Orphan, *, now: float) -> None:
        key = {"did": orphan.did, "session_id": orphan.session_id}
        with self._database.write(durable=False) as connection:
            connection.execute(COUNT_TRY, {**key, "now": int(now)})

    def give_up(self, runs: int, *, since: float, now: float) -> int:
        bounds = {"runs": runs, "since": int(since), "now": now}
        with self._database.write(durable=False) as connection:
            return connection.execute(GIVE_UP, bounds).rowcount
