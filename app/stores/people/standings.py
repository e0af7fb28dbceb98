"""Standing of a session: its row, its account and its groups in one SELECT.

Services ask with every request of theirs, and each statement costs as much as a
signature check.
"""

from __future__ import annotations

from collections.abc import Callable

from app.flows.sessions.standing import Standing, Standings
from app.stores.people.sessions import FETCHED, FROM, LIVE, NAMES, session_of
from app.stores.sql.database import Database
from app.stores.sql.records import fetching

OF_ACCOUNT = ("users.did AS account", "users.disabled_at", "group_name")
OF = fetching(
    (*FETCHED, *OF_ACCOUNT),
    f"""
    SELECT {{columns}} {FROM}
      LEFT JOIN users ON users.did = sessions.did
      LEFT JOIN group_members ON group_members.did = sessions.did
    WHERE sid = :sid AND {LIVE}
    """,
)


class SqlStandings(Standings):
    """Reads sessions with their accounts; one row for each group."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def of(self, sid: str) -> Standing | None:
        with self._database.quick_read() as connection:
            wanted = {"sid": sid, "now": int(self._clock())}
            rows = connection.execute(OF, wanted).all()
        if not rows:
            return None
        *values, account, disabled_at, _ = rows[0]
        return Standing(
            session=session_of(dict(zip(NAMES, values, strict=True))),
            has_account=account is not None,
            is_disabled=disabled_at is not None,
            groups=tuple(sorted(row[-1] for row in rows if row[-1])),
        )
