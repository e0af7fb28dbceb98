"""Which permissions there are: resources, their parameters, and what covers what (8.3).

Two parameters at most: a subject, written after the colon as a rule, and a detail.
Pure; `scopes/permission.py` makes records out of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from ..errors import IdentifierInvalid, ScopeInvalid, printable
from ..syntax.grammar import parse_did
from ..syntax.nsid import is_nsid

ANY: Final = "*"

_MIME_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*"
_MIME = re.compile(rf"\*/\*|{_MIME_NAME}/(?:\*|{_MIME_NAME})")
_SERVICE = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """What the values of a parameter may be, and which of them stands for all."""

    name: str
    is_valid: Callable[[str], bool]
    widest: str | None = None
    is_list: bool = False
    default: tuple[str, ...] | None = None
    """None: it must be given."""

    def checked(self, values: tuple[str, ...] | None) -> tuple[str, ...]:
        """Return the values in normal form.

        Raises:
            ScopeInvalid: none where one is wanted, several where one is, or a bad one.
        """
        given = self.default if values is None else values
        if given is None:
            raise ScopeInvalid(f"{self.name} is missing")
        if len(given) > 1 and not self.is_list and values is not None:
            raise ScopeInvalid(f"{self.name} is given more than once")
        for value in given:
            if not self.is_valid(value):
                raise ScopeInvalid(f"{printable(value)} is no {self.name}")
        return self.normal(given)

    def normal(self, values: tuple[str, ...]) -> tuple[str, ...]:
        """Return each value once, in order; the widest makes up for the others."""
        if self.widest in values:
            return (self.widest,)
        return tuple(sorted(set(values)))

    def covers(self, granted: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
        """Tell whether each of the wanted values is granted."""
        return all(any(self._covers(have, want) for have in granted) for want in wanted)

    def _covers(self, have: str, want: str) -> bool:
        # `image/*` is the only pattern of the language that is wide in part.
        is_pattern = have.endswith("/*") and want.startswith(have[:-1])
        return have in {self.widest, want} or is_pattern


def _is_any_or_nsid(text: str) -> bool:
    return text == ANY or is_nsid(text)


def _is_mime(text: str) -> bool:
    return _MIME.fullmatch(text) is not None


def _is_service(text: str) -> bool:
    """Tell whether this is a service of a DID; a bare DID is none (8.3)."""
    did, _, fragment = text.partition("#")
    try:
        parse_did(did, allow_localhost=True, allow_test=True)
    except IdentifierInvalid:
        return False
    return _SERVICE.fullmatch(fragment) is not None


def _is_audience(text: str) -> bool:
    return text == ANY or _is_service(text)


def _one_of(*words: str) -> Callable[[str], bool]:
    return frozenset(words).__contains__


_RULES: Final[Mapping[str, tuple[Parameter, ...]]] = {
    "repo": (
        Parameter(
            name="collection", is_valid=_is_any_or_nsid, widest=ANY, is_list=True
        ),
        Parameter(
            name="action",
            is_valid=_one_of("create", "update", "delete"),
            is_list=True,
            default=("create", "update", "delete"),
        ),
    ),
    "rpc": (
        Parameter(name="lxm", is_valid=_is_any_or_nsid, widest=ANY, is_list=True),
        Parameter(name="aud", is_valid=_is_audience, widest=ANY),
    ),
    "blob": (Parameter(name="accept", is_valid=_is_mime, widest="*/*", is_list=True),),
    "account": (
        Parameter(name="attr", is_valid=_one_of("email", "repo")),
        # Who may change it may read it.
        Parameter(
            name="action",
            is_valid=_one_of("read", "manage"),
            widest="manage",
            default=("read",),
        ),
    ),
    "identity": (Parameter(name="attr", is_valid=_one_of("handle", ANY), widest=ANY),),
    "include": (
        Parameter(name="nsid", is_valid=is_nsid),
        # `*` is left out: the reference server refuses it here.
        Parameter(name="aud", is_valid=_is_service, default=()),
    ),
}
"""By resource: its subject, then its detail where it has one (requirement 8.3)."""


def rule_of(resource: str) -> tuple[Parameter, ...]:
    """Return the parameters of a resource, the subject first.

    Raises:
        ScopeInvalid: no such resource.
    """
    try:
        return _RULES[resource]
    except KeyError:
        raise ScopeInvalid(f"no resource {printable(resource)}") from None
