"""The Date header of an answer (RFC 9110 section 6.6.1) against our own clock."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

NOTABLE: Final = 60.0
"""Seconds of difference from which servers may refuse our proofs and assertions."""

LONGEST_DATE: Final = 64


def clock_difference(headers: Mapping[str, str], now: float) -> float | None:
    """Return by how many seconds our clock is ahead of an answer's Date, or None.

    Negative when ours is behind. The header has whole seconds, and the answer was on
    its way, so a few seconds mean nothing.
    """
    text = headers.get("Date", "")[:LONGEST_DATE]
    try:
        return now - parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None


def clock_hint(headers: Mapping[str, str], now: float) -> str:
    """Return "" or what to tell an operator whose clock is probably wrong."""
    difference = clock_difference(headers, now)
    if difference is None or abs(difference) < NOTABLE:
        return ""
    side = "ahead of" if difference > 0 else "behind"
    return (
        f"our clock is {abs(difference):.0f} s {side} its Date header: set the clock "
        "of this machine"
    )
