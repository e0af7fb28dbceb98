"""What templates need beyond their context: times that people and machines can read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime


def iso_time(epoch: float) -> str:
    """Write `2026-12-21T14:05:00Z`, for `<time datetime>`."""
    return datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def plain_time(epoch: float) -> str:
    """Write `21 December 2026, 14:05 UTC`: a server knows nobody's clock."""
    moment = datetime.fromtimestamp(int(epoch), UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


FILTERS: dict[str, Callable[[float], str]] = {
    "iso_time": iso_time,
    "plain_time": plain_time,
}
