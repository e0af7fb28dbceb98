"""One permission: `repo:app.relay.track?action=create` (requirements 8.2 and 8.3).

What is to be done is written in the same words as what was granted (`repo:*`), so one
record serves for both and `covers` compares them. Unknown resources and parameters are
refused: a permission that nobody here understands allows nothing. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Self
from urllib.parse import quote

from ..errors import ScopeInvalid, printable
from .grammar import parse_word
from .permission_rules import ANY, rule_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What may be done: each of the subjects, in each of the details.

    Repository writes are collections and actions, calls of a service (`rpc`) are
    methods and an audience; blobs, the identity and the account have subjects, the
    account an action as well. `include` names a permission set, which only servers
    resolve (requirement 8.4).

    Made by `parse` and `of`; equal ones allow the same, however they were spelled.
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
        """Return the permission to do one thing.

        `of("repo", "app.relay.track", "create")`; without a detail, its default.

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
            raise ScopeInvalid("rpc: every method of every service is not to be had")
        return cls(resource=resource, subjects=subjects, details=details)

    def parts(self) -> Iterator[Self]:
        """Yield the permissions to do one thing each that this one is made of."""
        for subject, detail in product(self.subjects, self.details or (None,)):
            yield replace(
                self,
                subjects=(subject,),
                details=() if detail is None else (detail,),
            )

    def covers(self, wanted: Permission) -> bool:
        """Tell whether this permission alone allows all of the wanted one."""
        if wanted.resource != self.resource:
            return False
        subject, *rest = rule_of(self.resource)
        if not subject.covers(self.subjects, wanted.subjects):
            return False
        return all(detail.covers(self.details, wanted.details) for detail in rest)

    def __str__(self) -> str:
        """Return the word to ask for it, the shortest one there is (8.2)."""
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
    """Write a value; a plus of a query is read as a space by some servers."""
    return quote(text, safe=f":/,@*{also_safe}")
