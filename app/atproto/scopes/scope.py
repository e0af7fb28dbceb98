"""The OAuth scope parameter: a set of permissions, written as words (section 8).

Servers return the same grant in many spellings: merged, split, in another order, with
permission sets expanded or not (requirement 8.9). So a scope is never compared as a
string: it is parsed, and asked what it allows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final, Self

from ..errors import ScopeInvalid
from ..syntax.nsid import group_of
from .permission import Permission

ATPROTO: Final = "atproto"
"""The word of every scope; alone it allows signing in and nothing else."""

TRANSITION_GENERIC: Final = "transition:generic"
TRANSITION_CHAT: Final = "transition:chat.bsky"
TRANSITION_EMAIL: Final = "transition:email"
"""The rights of a former app password: coarse, to be retired (requirement 8.6)."""

_WORDS: Final = frozenset(
    {ATPROTO, TRANSITION_GENERIC, TRANSITION_CHAT, TRANSITION_EMAIL}
)
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")
_READ_EMAIL: Final = Permission.of("account", "email", "read")

_Part = tuple[str, str, str | None]
"""A permission of one subject and one detail, for look-ups in a set."""


def parse_scope(text: str) -> tuple[str, ...]:
    """Split a scope into its words, in order and each once (RFC 6749 section 3.3).

    The callers check that `atproto` is among them: in what we request (requirement 4.6)
    and in what a server grants (requirement 6.10).

    Raises:
        ScopeInvalid: empty, not separated by single spaces, or with characters that a
            scope cannot have.
    """
    if _SCOPE.fullmatch(text) is None:
        raise ScopeInvalid("not a scope")
    return tuple(dict.fromkeys(text.split(" ")))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeSet:
    """The permissions of a scope, independent of its spelling.

    Words that are no known permission are kept and allow nothing: servers introduce
    resources before clients do, and drop those that they do not know (requirement 8.8).
    Every method takes time linear in the length of the scopes.
    """

    permissions: tuple[Permission, ...]
    words: tuple[str, ...]
    """`atproto`, `transition:...`, and the unknown ones."""
    _words: frozenset[str] = field(init=False, repr=False, compare=False)
    _granted: frozenset[_Part] = field(init=False, repr=False, compare=False)
    _groups: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        granted: set[_Part] = set()
        groups: set[str] = set()
        for part in chain.from_iterable(each.parts() for each in self.permissions):
            subject = part.subjects[0]
            # A part with a detail covers the one that leaves it open (`include`).
            granted.update((part.resource, subject, d) for d in (*part.details, None))
            groups.update(_groups_above(part.resource, subject))
        object.__setattr__(self, "_words", frozenset(self.words))
        object.__setattr__(self, "_granted", frozenset(granted))
        object.__setattr__(self, "_groups", frozenset(groups))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a scope, as granted or as requested.

        Raises:
            ScopeInvalid: not a scope (requirement 8.1); an unknown word is no error.
        """
        permissions: list[Permission] = []
        words: list[str] = []
        for word in parse_scope(text):
            try:
                permissions.append(Permission.parse(word))
            except ScopeInvalid:
                words.append(word)
        return cls(permissions=tuple(permissions), words=tuple(words))

    def allows(self, wanted: Permission | str) -> bool:
        """Tell whether all of a permission is certainly granted.

        False does not mean that the host would refuse: see `may_allow`.

        Raises:
            ScopeInvalid: `wanted` is a string and no permission.
        """
        return self._judge(wanted, self._covers)

    def may_allow(self, wanted: Permission | str) -> bool:
        """Tell whether it is granted, or could be by a permission set.

        Some servers return `include:` as it was requested, and only they know what the
        set contains (requirement 8.4). Then a call has to be tried: the host answers
        403 if the permission is missing (requirement 8.11).

        Raises:
            ScopeInvalid: `wanted` is a string and no permission.
        """
        sets = {group_of(each.subjects[0]) for each in self.includes}
        return self._judge(
            wanted,
            lambda part: (
                self._covers(part)
                or not sets.isdisjoint(_groups_above(part.resource, part.subjects[0]))
            ),
        )

    def missing(self, scope: str) -> tuple[str, ...]:
        """Return the words to request so that all of `scope` is granted; () for none.

        For a partly granted permission, its other parts. A permission set counts as
        granted when a permission of its group is: the server may have expanded it.

        Raises:
            ScopeInvalid: `scope` is not a scope.
        """
        asked = ScopeSet.parse(scope)
        words = [word for word in asked.words if word not in self._words]
        lacking = [rest for each in asked.permissions for rest in self._lacking(each)]
        return (*words, *dict.fromkeys(map(str, lacking)))

    def is_same_as(self, other: ScopeSet) -> bool:
        """Tell whether two scopes allow the same."""
        return not self.missing(str(other)) and not other.missing(str(self))

    @property
    def includes(self) -> tuple[Permission, ...]:
        """The permission sets that are named and not expanded."""
        return tuple(each for each in self.permissions if each.resource == "include")

    def __str__(self) -> str:
        """Return a scope parameter with the same meaning."""
        return " ".join((*self.words, *map(str, self.permissions)))

    def _judge(
        self, wanted: Permission | str, is_granted: Callable[[Permission], bool]
    ) -> bool:
        if isinstance(wanted, str):
            if wanted in _WORDS:
                return wanted in self._words
            wanted = Permission.parse(wanted)
        return all(is_granted(part) for part in wanted.parts())

    def _lacking(self, wanted: Permission) -> Iterator[Permission]:
        """Yield what is not granted, one permission for each subject."""
        for subject in wanted.subjects:
            alone = replace(wanted, subjects=(subject,))
            parts = [part for part in alone.parts() if not self._has(part)]
            if parts:
                details = tuple(detail for part in parts for detail in part.details)
                yield replace(alone, details=details)

    def _has(self, part: Permission) -> bool:
        """Tell whether a part is granted, or was expanded if it is a permission set.

        A set may contain permissions of its own group only (requirements 8.4 and 8.9).
        """
        if self._covers(part):
            return True
        return part.resource == "include" and (
            group_of(part.subjects[0]) in self._groups
        )

    def _covers(self, part: Permission) -> bool:
        return self._is_transitional(part) or not self._granted.isdisjoint(
            (part.resource, subject, detail) for subject, detail in part.wider()
        )

    def _is_transitional(self, part: Permission) -> bool:
        """Tell whether a `transition:` word grants this (requirement 8.6)."""
        if part.resource == "account":
            return TRANSITION_EMAIL in self._words and _READ_EMAIL.covers(part)
        if TRANSITION_GENERIC not in self._words:
            return False
        if part.resource == "rpc" and part.subjects[0].startswith(("chat.bsky.", "*")):
            return TRANSITION_CHAT in self._words
        return part.resource in {"repo", "rpc", "blob"}


def _groups_above(resource: str, subject: str) -> Iterator[str]:
    """Yield the NSID groups that a record type or method is in: `app.relay`, `app`.

    A permission set contains repository writes and calls only (requirement 8.4).
    """
    if resource in {"repo", "rpc"}:
        while subject := group_of(subject):
            yield subject
