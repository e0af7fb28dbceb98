"""A permission of a scope: `repo:app.relay.track?action=create` (requirement 8.3).

The rules below say which resources exist, which parameters they have, and which value
covers which: at most two parameters, a subject (written after the colon as a rule) and
a detail. What a call needs is written in the same words as what was granted (`repo:*`):
one record serves for both, and `covers` compares them. Unknown resources and parameters
are refused: a permission that this client does not understand allows nothing. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Final, Self
from urllib.parse import quote

from ..errors import IdentifierInvalid, ScopeInvalid, printable
from ..syntax.grammar import parse_did
from ..syntax.nsid import is_nsid
from .grammar import parse_word

ANY: Final = "*"

_MIME_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*"
_MIME = re.compile(rf"\*/\*|{_MIME_NAME}/(?:\*|{_MIME_NAME})")
_SERVICE = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter: its valid values, and the widest, which covers all others."""

    name: str
    is_valid: Callable[[str], bool]
    widest: str | None = None
    is_list: bool = False
    default: tuple[str, ...] | None = None
    """None: the parameter is required."""

    def checked(self, values: tuple[str, ...] | None) -> tuple[str, ...]:
        """Return the values in normal form.

        Raises:
            ScopeInvalid: a value is missing, not valid, or one too many.
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
        """Return the values sorted and unique; the widest one replaces the others."""
        if self.widest in values:
            return (self.widest,)
        return tuple(sorted(set(values)))

    def covers(self, granted: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
        """Tell whether each of the wanted values is granted."""
        have = set(granted)
        return all(not have.isdisjoint(self.wider(want)) for want in wanted)

    def wider(self, value: str) -> tuple[str, ...]:
        """Return the values that cover this one, itself included.

        `image/*` is the only kind of pattern that covers a part of all values.
        """
        return (value, self.widest or value, f"{value.partition('/')[0]}/*")


def _is_any_or_nsid(text: str) -> bool:
    return text == ANY or is_nsid(text)


def _is_mime(text: str) -> bool:
    return _MIME.fullmatch(text) is not None


def _is_service(text: str) -> bool:
    """Tell whether this is `did#service`; a bare DID is not (requirement 8.3)."""
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
        # `manage` includes `read`.
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
        # No `*`: the reference server refuses it here.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """The right to use each of the subjects with each of the details.

    `repo` has collections and actions, `rpc` (calls of a service) methods and an
    audience; `blob`, `identity` and `account` have subjects, `account` an action as
    well. `include` names a permission set, which only servers resolve
    (requirement 8.4).

    Made by `parse` and `of`; equal permissions allow the same, in any spelling.
    """

    resource: str
    subjects: tuple[str, ...]
    details: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one word of a scope.

        Raises:
            ScopeInvalid: not a permission of requirement 8.3.
        """
        word = parse_word(text)
        rule = rule_of(word.resource)
        names = [parameter.name for parameter in rule]
        if alien := set(word.parameters).difference(names):
            raise ScopeInvalid(f"{word.resource} has no {printable(min(alien))}")
        given = dict(word.parameters)
        if word.positional is not None:
            if names[0] in given:
                raise ScopeInvalid(f"{word.resource} says {names[0]} twice")
            given[names[0]] = (word.positional,)
        return cls._checked(word.resource, [given.get(name) for name in names])

    @classmethod
    def of(cls, resource: str, subject: str, detail: str | None = None) -> Self:
        """Return the permission for one subject and one detail.

        `of("repo", "app.relay.track", "create")`; without a detail, the default one.

        Raises:
            ScopeInvalid: not a permission of requirement 8.3.
        """
        given: list[tuple[str, ...] | None] = [(subject,)]
        given.append(None if detail is None else (detail,))
        count = len(rule_of(resource))
        if count == 1 and detail is not None:
            raise ScopeInvalid(f"{resource} has nothing beside its subject")
        return cls._checked(resource, given[:count])

    @classmethod
    def _checked(cls, resource: str, given: list[tuple[str, ...] | None]) -> Self:
        values = [
            parameter.checked(value)
            for parameter, value in zip(rule_of(resource), given, strict=True)
        ]
        subjects, details = values[0], values[1] if len(values) > 1 else ()
        if resource == "rpc" and ANY in subjects and ANY in details:
            raise ScopeInvalid("rpc: not every method of every service")
        return cls(resource=resource, subjects=subjects, details=details)

    def parts(self) -> Iterator[Self]:
        """Yield this permission in parts of one subject and one detail each."""
        for subject, detail in product(self.subjects, self.details or (None,)):
            yield replace(
                self,
                subjects=(subject,),
                details=() if detail is None else (detail,),
            )

    def wider(self) -> Iterator[tuple[str, str | None]]:
        """Yield each subject and detail that covers this one part (see `parts`)."""
        subject, *rest = rule_of(self.resource)
        details: tuple[str | None, ...] = (None,)
        if self.details:
            details = rest[0].wider(self.details[0])
        return product(subject.wider(self.subjects[0]), details)

    def covers(self, wanted: Permission) -> bool:
        """Tell whether this permission alone allows all of `wanted`."""
        if wanted.resource != self.resource:
            return False
        subject, *rest = rule_of(self.resource)
        if not subject.covers(self.subjects, wanted.subjects):
            return False
        return all(detail.covers(self.details, wanted.details) for detail in rest)

    def __str__(self) -> str:
        """Return the shortest word that requests it (requirement 8.2)."""
        subject, *rest = rule_of(self.resource)
        head, queries = f"{self.resource}:{_escaped(self.subjects[0], '+')}", []
        if len(self.subjects) > 1:
            head, queries = self.resource, [(subject.name, self.subjects)]
        for detail in rest:
            if self.details != detail.normal(detail.default or ()):
                queries.append((detail.name, self.details))
        query = "&".join(
            f"{name}={_escaped(value)}" for name, values in queries for value in values
        )
        return f"{head}?{query}" if query else head


def _escaped(text: str, also_safe: str = "") -> str:
    """Escape a value; some servers read a plus in a query as a space."""
    return quote(text, safe=f":/,@*{also_safe}")
