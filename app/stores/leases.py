"""Leases: work that one process of all nodes does at a time, such as the sweep.

A lease that is not released, because its holder died, expires. On PostgreSQL the
database's clock decides, so that the clocks of nodes may differ.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

from app.flows.sweep import Lease
from app.stores.sql.database import Database

TAKE: Final = """
    INSERT INTO leases (name, holder, until) VALUES (:name, :holder, {now} + :seconds)
    ON CONFLICT (name) DO UPDATE
        SET holder = excluded.holder, until = excluded.until
        WHERE leases.until <= {now} OR leases.holder = excluded.holder
    RETURNING holder
"""
RELEASE = text("DELETE FROM leases WHERE name = :name AND holder = :holder")


class SqlLease(Lease):
    """One lease in a table, by its name."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._take = text(TAKE.format(now=database.now_sql))

    def take(self, holder: str, *, until: float, now: float) -> bool:
        times = {"seconds": int(until) - int(now), "now": int(now)}
        row = {"name": self._name, "holder": holder, **times}
        with self._database.write() as connection:
            return connection.execute(self._take, row).one_or_none() is not None

    def release(self, holder: str) -> None:
        with self._database.write() as connection:
            connection.execute(RELEASE, {"name": self._name, "holder": holder})
