"""The settings of the service: read once, checked as a whole, never changed.

Building them has no side effect but reading the files that they name. Only the factory
sees this class; everything else is handed plain values.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import rules
from .derived import Derived
from .environment import read, unknown_names
from .problems import SettingsInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Derived):
    """The operator's decisions, completed, judged, and never changed."""

    warnings: tuple[str, ...] = field(default=())
    """Lines for the log at start: what is allowed and probably not meant."""

    def __post_init__(self) -> None:
        """Complete what depends on other fields, then judge the whole.

        Raises:
            SettingsInvalid: some rule is broken.
        """
        for name, value in rules.completions(self):
            object.__setattr__(self, name, value)
        problems = tuple(rules.problems(self))
        if problems:
            raise SettingsInvalid(problems)
        warnings = dict.fromkeys([*self.warnings, *rules.advice(self)])
        object.__setattr__(self, "warnings", tuple(warnings))

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Return the settings of an environment, the process's own unless told.

        Raises:
            SettingsInvalid: with every problem of every setting, a line each.
        """
        found, problems = read(cls, environ)
        broken = {problem.setting for problem in problems}
        unread = tuple(unknown_names(cls, environ))
        try:
            settings = cls(**found, warnings=unread)
        except SettingsInvalid as invalid:
            further = (p for p in invalid.problems if not p.follows_from(broken))
            raise SettingsInvalid([*problems, *further], unread) from None
        if problems:
            raise SettingsInvalid(problems, unread)
        return settings
