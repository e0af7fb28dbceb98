"""Sliding window of a rate limit: the statements that count, and the time to wait.

Two counters a key, of this period and of the one before, from which one statement
decides and counts. The window covers this period and the rest of the one before.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, TypeAlias

Counted: TypeAlias = tuple[str, int, int]
"""What a call is counted under: a name, the most calls, and in how many seconds."""

# The table is named, because PostgreSQL takes a bare column for either row.
HIT: Final = """
    INSERT INTO {table} (key, period, this, previous, expires_at)
    VALUES (:key, :period, 1, 0, :expires_at)
    ON CONFLICT (key) DO UPDATE SET
        previous = CASE :period - {table}.period
            WHEN 0 THEN {table}.previous WHEN 1 THEN {table}.this ELSE 0
        END,
        this = CASE {table}.period WHEN :period THEN {table}.this + 1 ELSE 1 END,
        period = :period, expires_at = :expires_at
    WHERE 1 + CASE :period - {table}.period
        WHEN 0 THEN {table}.this + {table}.previous * :rest
        WHEN 1 THEN {table}.this * :rest ELSE 0
    END <= :most
"""
"""Changes one row, or none when the limit is reached. Without RETURNING, for which
SQLite fills a table of its own: that took a quarter of the time."""

GET: Final = "SELECT period, this, previous FROM {table} WHERE key = :key"


def key_of(name: str) -> str:
    """Return the key of a counter: a hash, so that no table holds an address."""
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Hit:
    """One call of a key, at a time in epoch seconds."""

    name: str
    most: int
    seconds: int
    now: float

    @property
    def values(self) -> dict[str, str | int | float]:
        """The parameters of HIT and GET."""
        period, elapsed = divmod(self.now, self.seconds)
        return {
            "key": key_of(self.name),
            "period": int(period),
            "rest": 1 - elapsed / self.seconds,
            "most": self.most,
            "expires_at": int((period + 2) * self.seconds),
        }

    def wait(self, found: tuple[int, int, int]) -> float:
        """Return the seconds until one more call passes, from a row of GET.

        Within this period once enough of the previous one has left the window;
        otherwise in the next period, whose previous one is this.
        """
        period, elapsed = divmod(self.now, self.seconds)
        this, previous = found[1:] if found[0] == int(period) else (0, found[1])
        share = elapsed / self.seconds
        if this + 1 <= self.most and previous:
            left = max(0.0, 1 - (self.most - 1 - this) / previous - share)
        elif this == 0 or self.most < 1:
            left = 1 - share
        else:
            left = 2 - share - min(1.0, (self.most - 1) / this)
        return left * self.seconds
