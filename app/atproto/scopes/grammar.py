"""The grammar of a scope's words: `resource:positional?name=value` (requirement 8.2).

Which resources exist and what they mean is in `scopes/permission.py`. Pure.
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
    """The parts of a word; its resource may be unknown."""

    resource: str
    positional: str | None
    parameters: Mapping[str, tuple[str, ...]]


def parse_word(text: str) -> Word:
    """Split a word into its parts (requirement 8.2).

    A plus is not decoded to a space: this is not form encoding.

    Raises:
        ScopeInvalid: not of this form, or with a faulty percent-escape.
    """
    head, _, query = text.partition("?")
    resource, colon, positional = head.partition(":")
    if not _RESOURCE.fullmatch(resource) or not _VISIBLE.fullmatch(text):
        raise ScopeInvalid(f"not a permission: {printable(text)}")
    parameters: dict[str, list[str]] = {}
    for parameter in filter(None, query.split("&")):
        name, _, value = parameter.partition("=")
        parameters.setdefault(name, []).append(_decoded(value))
    return Word(
        resource=resource,
        positional=_decoded(positional) if colon else None,
        parameters={name: tuple(values) for name, values in parameters.items()},
    )


def _decoded(text: str) -> str:
    """Decode percent-escapes.

    Raises:
        ScopeInvalid: a percent sign without two digits, or not UTF-8.
    """
    if _BAD_ESCAPE.search(text):
        raise ScopeInvalid("a percent sign that escapes nothing")
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ScopeInvalid("an escape that is not UTF-8") from None
