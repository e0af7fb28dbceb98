"""Durations on the command line: a number and one of s, m, h, d, w, as in settings."""

from __future__ import annotations

import re
from typing import Any, Final

import click

from app.flows.counted import counted

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
GRAMMAR: Final = re.compile(r"([0-9]{1,6})([smhdw])")


class DurationType(click.ParamType):  # type: ignore[type-arg] # generic since 8.4
    """A click type whose values are seconds."""

    name = "duration"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """Return the seconds; fail with wrong usage for anything else."""
        match = GRAMMAR.fullmatch(str(value))
        if match is None or int(match[1]) == 0:
            self.fail(f"{value!r} is no duration, as in 24h or 7d", param, ctx)
        return int(match[1]) * UNITS[match[2]]


def in_words(seconds: float) -> str:
    """Return a duration in its largest whole unit, as in `24 hours`."""
    whole = int(seconds)
    for size, word in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if whole >= size and whole % size == 0:
            return counted(whole // size, word, f"{word}s")
    return f"{whole} seconds"
