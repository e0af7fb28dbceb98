"""Known hosts: those where people of this platform have sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy import text

from app.atproto.stores.memory import MemoryCache
from app.stores.sql.database import Database

REMEMBERED: Final = 60.0
"""Seconds for which an answer is kept in memory."""

KNOWN = text("""
    SELECT 1 FROM oauth_sessions WHERE issuer = :origin OR pds = :origin LIMIT 1
""")


class SqlKnownHosts:
    """Issuers and PDSes of the OAuth sessions."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._answers: MemoryCache[bool] = MemoryCache(clock)

    def is_known(self, host: str) -> bool:
        """Tell whether an account of this host has an OAuth session."""
        answer = self._answers.get(host)
        if answer is None:
            with self._database.read() as connection:
                origin = {"origin": f"https://{host}"}
                answer = connection.execute(KNOWN, origin).first() is not None
            self._answers.put(host, answer, lifetime=REMEMBERED)
        return answer
