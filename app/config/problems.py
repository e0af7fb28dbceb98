"""What can be wrong with a value, and the error that stops the start.

A parser says only *why* (`Refused`); who reads the value adds *which*. All problems are
collected, so that an operator mends them in one go: one line each. A line never repeats
the value of a secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

PREFIX = "LATCHKEY_"


class Refused(ValueError):
    """A value is not acceptable; the message is the reason without the name."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One setting and what is wrong with it.

    `concerns` names the other settings that the judgement rests on.
    """

    setting: str
    reason: str
    concerns: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{PREFIX}{self.setting.upper()}: {self.reason}"

    def follows_from(self, broken: Container[str]) -> bool:
        """Tell whether a value that could not be read may be the whole cause."""
        return any(name in broken for name in (self.setting, *self.concerns))


class SettingsInvalid(Exception):
    """The settings cannot be used; `problems` holds every one, a line each.

    `hints` are lines about variables that nothing reads: a misspelt name is often why
    another is missing.
    """

    def __init__(self, problems: Iterable[Problem], hints: Iterable[str] = ()) -> None:
        self.problems = tuple(problems)
        self.hints = tuple(hints)
        super().__init__("\n".join([*map(str, self.problems), *self.hints]))
