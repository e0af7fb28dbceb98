"""What the signing keys have signed, counted for `keys` commands and the sweep.

A client key is bound to sessions at hosts and to logins under way by its key id
(requirement 7.3). Which key signed a platform token is not stored.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import TextClause, text

from app.flows.ports import KeyUse
from app.stores.sql.database import Database

PINNED_SESSIONS = text("""
    SELECT client_kid, COUNT(*) FROM oauth_sessions
    WHERE client_kid IS NOT NULL GROUP BY client_kid
""")
PINNED_LOGINS = text("""
    SELECT client_kid, COUNT(*) FROM oauth_auth_requests
    WHERE client_kid IS NOT NULL GROUP BY client_kid
""")
LIVE_SESSIONS = text("""
    SELECT COUNT(*) FROM sessions
    WHERE ended_at IS NULL AND expires_at > :now AND pending_for IS NULL
      AND created_at <= :begun_before AND seen_at >= :used_since
""")


class SqlKeyUse(KeyUse):
    """Counts over the tables of sessions and logins."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pinned_sessions(self) -> Mapping[str, int]:
        return self._counted(PINNED_SESSIONS)

    def pinned_logins(self) -> Mapping[str, int]:
        return self._counted(PINNED_LOGINS)

    def live_sessions(
        self, *, begun_before: float, used_since: float, now: float
    ) -> int:
        wanted = {
            "begun_before": int(begun_before),
            "used_since": int(used_since),
            "now": int(now),
        }
        with self._database.read() as connection:
            return int(connection.execute(LIVE_SESSIONS, wanted).scalar_one())

    def _counted(self, statement: TextClause) -> Mapping[str, int]:
        with self._database.read() as connection:
            rows = connection.execute(statement).all()
            return {row[0]: row[1] for row in rows}
