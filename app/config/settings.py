"""`Settings`: read from the environment once, checked as a whole, never changed.

Building them has no side effect but reading the files that they name. Only the factory
and gunicorn.conf.py see this class; everything else receives plain values.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

from pydantic import ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_settings import EnvSettingsSource

from . import rules
from .derived import Derived
from .rules import Problem, SettingsInvalid
from .types import PREFIX
from .variables import declarations

LONGEST_SECRET_FILE = 64 * 1024


class Settings(Derived):
    """The operator's settings, completed and checked."""

    warnings: tuple[str, ...] = ()
    """Lines for the log at start: what is allowed and probably not meant."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Return the settings of an environment, by default the process's own.

        Raises:
            SettingsInvalid: with every problem of every setting, a line each.
        """
        return cls(
            **Environment(cls, environ)(),
            warnings=tuple(unknown_names(environ)),
        )

    @classmethod
    def settings_customise_sources(cls, *_: Any, **sources: Any) -> tuple[Any, ...]:
        """Read keywords alone; only `from_environment` looks at the environment."""
        return (sources["init_settings"],)

    @model_validator(mode="wrap")
    @classmethod
    def _check(
        cls, values: dict[str, Any], handler: ModelWrapValidatorHandler[Self]
    ) -> Self:
        """Parse every field, then apply the rules to those that could be parsed.

        Raises:
            SettingsInvalid: with the problems of both steps.
        """
        try:
            return handler(values)._judged([])
        except ValidationError as error:
            problems = [_problem(detail) for detail in error.errors()]
        broken = {problem.setting for problem in problems}
        sound = {name: v for name, v in values.items() if name not in broken}
        return handler(sound)._judged(problems)

    def _judged(self, problems: list[Problem]) -> Self:
        """Complete the settings and apply the rules, given what parsing found."""
        rules.complete(self)
        broken = {problem.setting for problem in problems}
        problems += [p for p in rules.problems(self) if not p.follows_from(broken)]
        if problems:
            raise SettingsInvalid(problems, self.warnings)
        warnings = dict.fromkeys([*self.warnings, *rules.advice(self)])
        object.__setattr__(self, "warnings", tuple(warnings))
        return self

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse every change, as a frozen dataclass does."""
        raise AttributeError(f"settings never change: {name}")


class Environment(EnvSettingsSource):
    """Reads the fields of `Settings` from `LATCHKEY_*`, secrets from `_FILE` as well.

    An empty variable counts as unset, as compose files and unit files leave them.
    """

    def __init__(self, settings: type[Settings], environ: Mapping[str, str]) -> None:
        super().__init__(settings)
        self.env_vars = {
            name.lower(): environ.get(name, "").strip() or None
            for name in known_names()
        }

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """Return the text of a field, or the ValueError that says why there is none."""
        text, key, _ = super().get_field_value(field, field_name)
        name = f"{PREFIX}{field_name.upper()}_FILE"
        path = self.env_vars.get(name.lower())
        if path is None:
            return text, key, False
        if text is not None:
            problem = ValueError(f"is set together with {name}; keep one of them")
            return problem, key, False
        return _content_of(path), key, False


def known_names() -> Iterator[str]:
    """Yield the names of all variables that are read."""
    for name, declaration in declarations():
        yield name
        if declaration.secret:
            yield f"{name}_FILE"


def secret_files(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the path of each file that holds a secret."""
    for name, declaration in declarations():
        path = environ.get(f"{name}_FILE", "").strip()
        if declaration.secret and path:
            yield path


def unknown_names(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each variable with our prefix that no setting reads."""
    known = set(known_names())
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            nearest = get_close_matches(name, known, n=1)
            hint = f"; did you mean {nearest[0]}?" if nearest else ""
            yield f"{name} is not a setting{hint}"


def _content_of(path: str) -> str | ValueError:
    """Return the text in the file of a secret, or why it cannot be used."""
    try:
        with Path(path).open(encoding="utf-8") as secret:
            text = secret.read(LONGEST_SECRET_FILE + 1)
    except OSError as error:
        return ValueError(f"cannot read {path}: {error.strerror}")
    except UnicodeDecodeError:
        return ValueError(f"{path} is not text")
    if len(text) > LONGEST_SECRET_FILE:
        return ValueError(f"{path} is too long for a secret")
    return text.strip() or ValueError(f"{path} is empty")


def _problem(detail: Any) -> Problem:
    """Return what pydantic found, without the value and without pydantic's words."""
    reason = detail.get("ctx", {}).get("error", detail["msg"])
    return Problem(str(detail["loc"][0]), str(reason))
