"""Row bounds: the most rows that strangers can make a table hold, oldest deleted first.

A store that strangers write to enforces its bound at every EVERY-th write; the sweep
enforces all of them.
"""

from __future__ import annotations

import itertools
from typing import Final, Literal

from sqlalchemy import text

from .quick import Executor

EVERY: Final = 100
"""Writes of one process between two counts of the rows."""

STEP: Final = 500
"""Rows that are deleted at once: writers do not wait longer than for that."""

Bounded = Literal[
    "oauth_auth_requests",
    "native_logins",
    "provider_requests",
    "cache_entries",
    "newcomers",
    "audit_events",
    "service_events",
]

MOST_WAITING: Final = 20_000
"""Auth requests, native logins, requests of apps, and sessions without a username."""

MOST_CACHED: Final = 10_000
MOST_AUDITED: Final = 1_000_000
MOST_EVENTS: Final = 1_000_000

MOST: Final[dict[Bounded, int]] = {
    "oauth_auth_requests": MOST_WAITING,
    "native_logins": MOST_WAITING,
    "provider_requests": MOST_WAITING,
    "cache_entries": MOST_CACHED,
    "newcomers": MOST_WAITING,
    "audit_events": MOST_AUDITED,
    "service_events": MOST_EVENTS,
}

_NEWCOMERS = "sessions WHERE pending_for = 'signup'"
_ROWS: Final[dict[Bounded, tuple[str, str, str]]] = {
    "oauth_auth_requests": ("oauth_auth_requests", "state_hash", "expires_at"),
    "native_logins": ("native_logins", "login_id", "expires_at"),
    "provider_requests": ("provider_requests", "request_hash", "expires_at"),
    "cache_entries": ("cache_entries", "key", "expires_at"),
    "newcomers": (_NEWCOMERS, "sid", "expires_at"),
    "audit_events": ("audit_events", "id", "created_at"),
    "service_events": ("service_events", "seq", "seq"),
}


class RowBound:
    """The bound of one table."""

    def __init__(self, name: Bounded) -> None:
        rows, key, order = _ROWS[name]
        table = rows.partition(" ")[0]
        self._most = MOST[name]
        self._writes = itertools.count(1)
        self._count = text(f"SELECT count(*) FROM {rows}")  # noqa: S608 - our names
        self._delete = text(
            f"DELETE FROM {table} WHERE {key} IN ("  # noqa: S608 - our names
            f"SELECT {key} FROM {rows} ORDER BY {order} LIMIT :excess)"
        )

    def after_write(self, connection: Executor) -> None:
        """Enforce the bound at every EVERY-th call, in the caller's transaction."""
        if next(self._writes) % EVERY == 0:
            self.enforce(connection)

    def enforce(self, connection: Executor) -> int:
        """Delete at most STEP of the oldest rows beyond the bound; return how many."""
        excess = (connection.execute(self._count).scalar() or 0) - self._most
        if excess <= 0:
            return 0
        step = {"excess": min(excess, STEP)}
        return connection.execute(self._delete, step).rowcount
