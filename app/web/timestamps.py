"""Timestamps of JSON answers: RFC 3339 in UTC, to the second."""

from __future__ import annotations

from datetime import UTC, datetime


def in_utc(seconds: float) -> str:
    """Return epoch seconds as RFC 3339 writes them, such as 2026-11-30T08:00:00Z."""
    moment = datetime.fromtimestamp(int(seconds), UTC)
    return moment.isoformat().replace("+00:00", "Z")
