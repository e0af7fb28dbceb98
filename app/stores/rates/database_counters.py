"""Rate-limit counters in the database: for all nodes that share a PostgreSQL.

One short transaction a call, which does not wait for the disk: a power cut loses counts
and no sign-in. The database's clock decides, because the clocks of nodes differ.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, text

from app.stores.rates.sliding_window import GET, HIT, Counted, Hit
from app.stores.sql.database import Database

MOST_KEYS: Final = 100_000
"""Counters that are kept, some 20 MB; above it those that end first are deleted."""

CLEAN_EVERY: Final = 1_000
"""Calls of one process between two deletions of ended counters."""

TABLE: Final = "rate_counters"
COUNT = text(HIT.format(table=TABLE))
LOOK = text(GET.format(table=TABLE))
DELETE_ENDED = text("DELETE FROM rate_counters WHERE expires_at <= :now")
SIZE = text("SELECT count(*) FROM rate_counters")
DELETE_FIRST = text("""
    DELETE FROM rate_counters WHERE key IN (
        SELECT key FROM rate_counters ORDER BY expires_at LIMIT :excess)
""")


class DatabaseCounters:
    """Counters in a table."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._now = text(f"SELECT {database.now_sql}")
        self._calls = itertools.count(1)

    def hit(self, *counted: Counted) -> float | None:
        """Count one call under each name, in one transaction.

        None, or the seconds to wait for the first name whose limit is reached. Raises
        `StorageFailed` when the database does not answer.
        """
        with self._database.write(durable=False) as connection:
            now = connection.execute(self._now, {"now": self._clock()}).scalar_one()
            if next(self._calls) % CLEAN_EVERY == 0:
                _clean(connection, now)
            for name, most, seconds in counted:
                hit = Hit(name, most, seconds, now)
                if not connection.execute(COUNT, hit.values).rowcount:
                    row = connection.execute(LOOK, hit.values).one_or_none()
                    return hit.wait((row[0], row[1], row[2]) if row else (0, 0, 0))
        return None


def _clean(connection: Connection, now: float) -> None:
    connection.execute(DELETE_ENDED, {"now": int(now)})
    excess = connection.execute(SIZE).scalar_one() - MOST_KEYS
    if excess > 0:
        connection.execute(DELETE_FIRST, {"excess": excess})
