"""Statistics for metrics: rows of tables, live sessions, ages of keys, last runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import inspect, text

from app.stores.sql.database import Database

LIVE_SESSIONS: Final = text("""
    SELECT CASE WHEN app_name IS NULL THEN 'browser' ELSE 'app' END AS holder, count(*)
    FROM sessions WHERE ended_at IS NULL AND expires_at > :now
    GROUP BY CASE WHEN app_name IS NULL THEN 'browser' ELSE 'app' END
""")
OLDEST_KEYS: Final = text("""
    SELECT ring, status, min(created_at) FROM signing_keys GROUP BY ring, status
""")


LAST_RUNS: Final = text("SELECT name, ended_at FROM runs")


class SqlStatistics:
    """Counts rows, which takes time on large tables: callers ask rarely."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def table_rows(self) -> Mapping[str, int]:
        """Return how many rows each table has."""
        with self._database.read() as connection:
            tables = sorted(inspect(connection).get_table_names())
            return {
                name: connection.exec_driver_sql(
                    f"SELECT count(*) FROM {name}"  # noqa: S608 - names of our schema
                ).scalar_one()
                for name in tables
            }

    def live_sessions(self) -> Mapping[str, int]:
        """Return the live sessions by holder: `browser` and `app`."""
        with self._database.read() as connection:
            found = connection.execute(LIVE_SESSIONS, {"now": int(self._clock())})
            return {"browser": 0, "app": 0} | {row[0]: row[1] for row in found}

    def last_runs(self) -> Mapping[str, float]:
        """Return when a run of each name last ended, in epoch seconds."""
        with self._database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(LAST_RUNS)}

    def key_ages(self) -> Mapping[tuple[str, str], float]:
        """Return the age in seconds of the oldest key of each ring and status."""
        with self._database.read() as connection:
            found = connection.execute(OLDEST_KEYS)
            return {(row[0], row[1]): self._clock() - row[2] for row in found}
