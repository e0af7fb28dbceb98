"""The live sessions of all accounts: count them, list them, end all of them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Text, bindparam, text

from app.flows.people.sessions import LiveSessions
from app.flows.ports import Session
from app.stores.people.sessions import FETCHED, LIVE, SELECT, ends_of, session_of
from app.stores.services.events import append
from app.stores.sql.database import Database
from app.stores.sql.records import fetching

COUNT = text(f"SELECT count(*) FROM sessions WHERE {LIVE}")  # noqa: S608 - our names
LATEST = fetching(
    FETCHED, f"{SELECT} WHERE {LIVE} ORDER BY seen_at DESC, sid LIMIT :limit"
)
END = text("""
    UPDATE sessions SET ended_at = :now WHERE sid IN :sids AND ended_at IS NULL
""").bindparams(bindparam("sids", expanding=True, type_=Text))


class SqlLiveSessions(LiveSessions):
    """Live sessions in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, *, now: float) -> int:
        with self._database.read() as connection:
            return connection.execute(COUNT, {"now": int(now)}).scalar() or 0

    def latest(self, limit: int, *, now: float) -> Sequence[Session]:
        wanted = {"limit": limit, "now": int(now)}
        with self._database.read() as connection:
            rows = connection.execute(LATEST, wanted).mappings().all()
        return [session_of(row) for row in rows]

    def end_some(self, limit: int, *, now: float) -> Sequence[Session]:
        wanted = {"limit": limit, "now": int(now)}
        with self._database.write() as connection:
            rows = connection.execute(LATEST, wanted).mappings().all()
            if rows:
                sids = [row["sid"] for row in rows]
                connection.execute(END, {"sids": sids, "now": int(now)})
                append(connection, ends_of(rows), now=now)
        return [session_of(row) for row in rows]
