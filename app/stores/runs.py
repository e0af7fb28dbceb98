"""When the work of a timer last ended, for `doctor`: the sweep, the backup."""

from __future__ import annotations

from sqlalchemy import text

from app.flows.ports import Runs
from app.stores.sql.database import Database

NOTE = text("""
    INSERT INTO runs (name, ended_at) VALUES (:name, :ended_at)
    ON CONFLICT (name) DO UPDATE SET ended_at = excluded.ended_at
""")
LAST = text("SELECT ended_at FROM runs WHERE name = :name")


class SqlRuns(Runs):
    """The last run of each timer in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, name: str, now: float) -> None:
        with self._database.write(durable=False) as connection:
            connection.execute(NOTE, {"name": name, "ended_at": int(now)})

    def last(self, name: str) -> float | None:
        with self._database.read() as connection:
            found = connection.execute(LAST, {"name": name}).scalar()
        return None if found is None else float(found)
