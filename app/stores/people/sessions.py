"""Sign-in sessions; of the cookie's secret only a hash is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import TextualSelect, text

from app.atproto.crypto.encoding import sha256_hex
from app.atproto.syntax.grammar import Did
from app.flows.ports import Session, Sessions
from app.stores.services.events import NewEvent, append
from app.stores.sql.database import Database
from app.stores.sql.quick import MappedRow
from app.stores.sql.records import columns_of, fetching, insert_into, row_of

JOINED = ("scope", "issuer")
"""Fields that are read from the OAuth session of the same row."""

COLUMNS = columns_of(Session, without=JOINED)
FETCHED = (
    *(f"sessions.{name}" for name in COLUMNS),
    *(f"grants.{name}" for name in JOINED),
)
NAMES = (*COLUMNS, *JOINED)
"""Fields of the columns of FETCHED."""
ADD = text(insert_into("sessions", (*COLUMNS, "secret_hash")))
FROM = """
    FROM sessions LEFT JOIN oauth_sessions AS grants
      ON grants.did = sessions.did AND grants.session_id = oauth_session_id
"""
SELECT = f"SELECT {{columns}} {FROM}"
NATIVE: Final = '"native":'
"""Part of a `destination` that release 0.1 wrote for an app's login."""

LIVE = "ended_at IS NULL AND sessions.expires_at > :now"
GET = fetching(FETCHED, f"{SELECT} WHERE sid = :sid AND {LIVE}")
OF = fetching(
    FETCHED,
    f"{SELECT} WHERE sessions.did = :did AND {LIVE}"
    " ORDER BY seen_at DESC, sessions.created_at DESC, sid",
)
BY_SECRET = fetching(FETCHED, f"{SELECT} WHERE secret_hash = :secret_hash AND {LIVE}")
ENDED = fetching(
    FETCHED, f"{SELECT} WHERE secret_hash = :secret_hash AND ended_at IS NOT NULL"
)
# The order is that of OF, and the limit only what SQLite's OFFSET needs.
BEYOND = fetching(
    ("sid",),
    f"SELECT {{columns}} FROM sessions WHERE did = :did AND {LIVE}"  # noqa: S608
    " ORDER BY seen_at DESC, created_at DESC, sid LIMIT 1000 OFFSET :most",
)
TOUCH = text("""
    UPDATE sessions SET seen_at = :now
    WHERE sid = :sid AND seen_at < :now AND ended_at IS NULL AND expires_at > :now
""")
END = fetching(
    ("did", "sid", "destination"),
    """
    UPDATE sessions SET ended_at = :now
    WHERE sid = :sid AND ended_at IS NULL AND expires_at > :now
    RETURNING {columns}
    """,
)
ENDED_AFTER = text("""
    SELECT sid, ended_at FROM sessions
    WHERE ended_at >= :second AND (ended_at > :second OR sid > :sid)
    ORDER BY ended_at, sid LIMIT :limit
""")
FINISH_SIGNUP = text("""
    UPDATE sessions
    SET pending_for = NULL, destination = NULL, expires_at = :expires_at
    WHERE sid = :sid
""")
LEAD_TO = text("""
    UPDATE sessions SET destination = :destination
    WHERE sid = :sid AND pending_for = 'signup'
""")
NARROW = text("""
    UPDATE sessions SET granted_scope = :granted, oauth_session_id = NULL
    WHERE sid = :sid AND COALESCE(granted_scope, '') = :former AND ended_at IS NULL
""")


class SqlSessions(Sessions):
    """Sign-in sessions in a table."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def add(self, session: Session, *, secret: str) -> None:
        row = {**row_of(session), "secret_hash": sha256_hex(secret)}
        with self._database.quick_write() as connection:
            connection.execute(ADD, row)

    def by_secret(self, secret: str) -> Session | None:
        return self._live(BY_SECRET, secret_hash=sha256_hex(secret))

    def ended(self, secret: str) -> Session | None:
        with self._database.read() as connection:
            result = connection.execute(ENDED, {"secret_hash": sha256_hex(secret)})
            row = result.mappings().one_or_none()
        return None if row is None else session_of(row)

    def get(self, sid: str) -> Session | None:
        return self._live(GET, sid=sid)

    def of(self, did: Did) -> Sequence[Session]:
        with self._database.read() as connection:
            result = connection.execute(OF, {"did": did, "now": int(self._clock())})
            return [session_of(row) for row in result.mappings()]

    def beyond(self, did: Did, most: int) -> Sequence[str]:
        wanted = {"did": did, "most": most, "now": int(self._clock())}
        with self._database.quick_read() as connection:
            sids: Sequence[str] = connection.execute(BEYOND, wanted).scalars().all()
            return sids

    def touch(self, sid: str, now: float) -> None:
        with self._database.quick_write(durable=False) as connection:
            connection.execute(TOUCH, {"sid": sid, "now": int(now)})

    def end(self, sid: str, now: float) -> bool:
        with self._database.write() as connection:
            ended = connection.execute(END, {"sid": sid, "now": int(now)})
            rows = ended.mappings().all()
            append(connection, ends_of(rows), now=now)
            return len(rows) == 1

    def ended_after(
        self, second: int, sid: str, *, limit: int
    ) -> Sequence[tuple[str, int]]:
        wanted = {"second": second, "sid": sid, "limit": limit}
        with self._database.read() as connection:
            return [tuple(row) for row in connection.execute(ENDED_AFTER, wanted)]

    def lead_to(self, sid: str, destination: str) -> None:
        with self._database.write() as connection:
            connection.execute(LEAD_TO, {"sid": sid, "destination": destination})

    def finish_signup(self, sid: str, *, expires_at: float) -> None:
        with self._database.write() as connection:
            connection.execute(
                FINISH_SIGNUP, {"sid": sid, "expires_at": int(expires_at)}
            )

    def narrow(self, sid: str, *, former: str | None, granted: str) -> bool:
        """Replace `granted_scope`, let go of the grant; False if it is not `former`."""
        values = {"sid": sid, "former": former or "", "granted": granted}
        with self._database.write() as connection:
            return connection.execute(NARROW, values).rowcount == 1

    def _live(self, statement: TextualSelect, **key: str) -> Session | None:
        with self._database.quick_read() as connection:
            result = connection.execute(statement, {**key, "now": int(self._clock())})
            row = result.mappings().one_or_none()
        return None if row is None else session_of(row)


def ends_of(rows: Sequence[MappedRow]) -> list[NewEvent]:
    """Return the events of sessions that end.

    Those that wait for a sign-up or a confirmation never had a token: no service knows
    of them.
    """
    return [
        NewEvent("session_ended", row["did"], {"sid": row["sid"]})
        for row in rows
        if row["destination"] is None
    ]


def session_of(row: MappedRow) -> Session:
    """Return the session of a row.

    Release 0.1 writes and clears `destination` alone, also while both releases run
    during an upgrade, so `pending_for` follows it where they differ.
    """
    destination, pending_for = row["destination"], row["pending_for"]
    if destination is None:
        followed = None
    else:
        followed = pending_for or ("native" if NATIVE in destination else "signup")
    if followed == pending_for:
        return Session(**row)
    return Session(**{**row, "pending_for": followed})
