"""Reads a settings class from an environment: names, files of secrets, misspellings.

Knows nothing of what a setting means. An empty variable counts as unset, as compose
files and unit files leave them.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .declare import Declaration, declarations
from .problems import PREFIX, Problem, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LONGEST_SECRET_FILE = 64 * 1024


def read(
    settings: type, environ: Mapping[str, str]
) -> tuple[dict[str, Any], list[Problem]]:
    """Return the values that are set, by field, and what is wrong with the others."""
    found: dict[str, Any] = {}
    problems: list[Problem] = []
    for declared, declaration in declarations(settings):
        try:
            text = _text_of(declared.name, declaration, environ)
            if text:
                found[declared.name] = declaration.parse(text)
        except Refused as refused:
            problems.append(Problem(declared.name, str(refused)))
    return found, problems


def unknown_names(settings: type, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each variable with our prefix that nothing reads."""
    known = set(_known_names(settings))
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            nearest = get_close_matches(name, known, n=1)
            hint = f"; did you mean {nearest[0]}?" if nearest else ""
            yield f"{name} is not a setting{hint}"


def _known_names(settings: type) -> Iterator[str]:
    for declared, declaration in declarations(settings):
        name = PREFIX + declared.name.upper()
        yield name
        if declaration.secret:
            yield f"{name}_FILE"


def _text_of(field: str, declaration: Declaration, environ: Mapping[str, str]) -> str:
    """Return the text of a setting, from its file when it is a secret with one."""
    name = PREFIX + field.upper()
    text = environ.get(name, "").strip()
    path = environ.get(f"{name}_FILE", "").strip() if declaration.secret else ""
    if not path:
        return text
    if text:
        raise Refused(f"is set together with {name}_FILE; keep one of them")
    return _content_of(path)


def _content_of(path: str) -> str:
    try:
        with Path(path).open(encoding="utf-8") as secret:
            text = secret.read(LONGEST_SECRET_FILE + 1)
    except OSError as error:
        raise Refused(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Refused(f"{path} is not text") from error
    if len(text) > LONGEST_SECRET_FILE:
        raise Refused(f"{path} is too long for a secret")
    if not text.strip():
        raise Refused(f"{path} is empty")
    return text.strip()
