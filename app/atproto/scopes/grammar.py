"""The form of one word in a scope: `resource:positional?name=value` (8.2).

Form alone: which resources there are and what they mean, `scopes/permission_rules.py`
says. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from ..errors import ScopeInvalid, printable

_RESOURCE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word by its form alone: whether such a resource exists is not asked."""

    resource: str
    positional: str | None
    parameters: Mapping[str, tuple[str, ...]]


def parse_word(text: str) -> Word:
    """Take a word apart (requirement 8.2).

    A plus is a plus: this is no form, and no value has a space in it.

    Raises:
        ScopeInvalid: not of the form, or with a faulty percent-escape.
    """
    head, _, query = text.partition("?")
    resource, colon, positional = head.partition(":")
    if not _RESOURCE.fullmatch(resource) or not _VISIBLE.fullmatch(text):
        raise ScopeInvalid(f"not a permission: {printable(text)}")
    parameters: dict[str, tuple[str, ...]] = {}
    for parameter in filter(None, query.split("&")):
        name, _, value = parameter.partition("=")
        parameters[name] = (*parameters.get(name, ()), _decoded(value))
    return Word(
        resource=resource,
        positional=_decoded(positional) if colon else None,
        parameters=parameters,
    )


def _decoded(text: str) -> str:
    """Undo percent-escapes.

    Raises:
        ScopeInvalid: an escape that is none, or of no UTF-8.
    """
    if _BAD_ESCAPE.search(text):
        raise ScopeInvalid("a percent sign that escapes nothing")
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ScopeInvalid("an escape that is not UTF-8") from None
