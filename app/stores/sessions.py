"""Sign-in sessions. Of the cookie's secret only a hash is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from app.atproto.crypto.encoding import sha256_hex
from app.flows.ports import Session

from .records import fetching, row_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import TextualSelect

    from app.atproto.syntax.grammar import Did
    from app.flows.ports import Sessions
    from app.stores.database import Database

ADD = text("""
    INSERT INTO sessions (
        sid, secret_hash, did, handle, oauth_session_id, device, destination,
        app_name, granted_scope, created_at, seen_at, expires_at, ended_at
    ) VALUES (
        :sid, :secret_hash, :did, :handle, :oauth_session_id, :device, :destination,
        :app_name, :granted_scope, :created_at, :seen_at, :expires_at, :ended_at
    )
""")
COLUMNS = (
    *("sid", "sessions.did", "sessions.handle", "oauth_session_id", "device"),
    *("destination", "app_name", "granted_scope", "grants.scope", "grants.issuer"),
    *("sessions.created_at", "seen_at", "sessions.expires_at", "ended_at"),
)
SELECT = """
    SELECT {columns} FROM sessions LEFT JOIN oauth_sessions AS grants
      ON grants.did = sessions.did AND grants.session_id = oauth_session_id
"""
LIVE = "ended_at IS NULL AND sessions.expires_at > :now"
GET = fetching(COLUMNS, f"{SELECT} WHERE sid = :sid AND {LIVE}")
OF = fetching(
    COLUMNS,
    f"{SELECT} WHERE sessions.did = :did AND {LIVE}"
    " ORDER BY seen_at DESC, sessions.created_at DESC, sid",
)
BY_SECRET = fetching(COLUMNS, f"{SELECT} WHERE secret_hash = :secret_hash AND {LIVE}")
TOUCH = text("""
    UPDATE sessions SET seen_at = :now
    WHERE sid = :sid AND seen_at < :now AND ended_at IS NULL AND expires_at > :now
""")
END = text("""
    UPDATE sessions SET ended_at = :now
    WHERE sid = :sid AND ended_at IS NULL AND expires_at > :now
""")
FINISH_SIGNUP = text("UPDATE sessions SET destination = NULL WHERE sid = :sid")


class SqlSessions:
    """Sign-in sessions in a table."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def add(self, session: Session, *, secret: str) -> None:
        """Create the session; of the cookie's secret only a hash is kept."""
        row = {**row_of(session), "secret_hash": sha256_hex(secret)}
        with self._database.write() as connection:
            connection.execute(ADD, row)

    def by_secret(self, secret: str) -> Session | None:
        """Return the session of a cookie, unless it is unknown, ended or expired."""
        return self._live(BY_SECRET, secret_hash=sha256_hex(secret))

    def get(self, sid: str) -> Session | None:
        """Return the session, unless it is unknown, ended or expired."""
        return self._live(GET, sid=sid)

    def of(self, did: Did) -> Sequence[Session]:
        """Return the account's live sessions, the one used last first."""
        with self._database.read() as connection:
            result = connection.execute(OF, {"did": did, "now": int(self._clock())})
            return [Session(**row) for row in result.mappings()]

    def touch(self, sid: str, now: float) -> None:
        """Note that the session was used; a live session only moves forward."""
        with self._database.write(durable=False) as connection:
            connection.execute(TOUCH, {"sid": sid, "now": int(now)})

    def end(self, sid: str, now: float) -> bool:
        """End the session; False when it was not live. Only one caller hears True."""
        with self._database.write() as connection:
            return connection.execute(END, {"sid": sid, "now": int(now)}).rowcount == 1

    def finish_signup(self, sid: str) -> None:
        """Clear the destination: the newcomer has an account now."""
        with self._database.write() as connection:
            connection.execute(FINISH_SIGNUP, {"sid": sid})

    def _live(self, statement: TextualSelect, **key: str) -> Session | None:
        with self._database.read() as connection:
            result = connection.execute(statement, {**key, "now": int(self._clock())})
            row = result.mappings().one_or_none()
        return None if row is None else Session(**row)


if TYPE_CHECKING:

    def _fits(sessions: SqlSessions) -> Sessions:
        return sessions
