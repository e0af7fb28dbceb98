"""The scope parameter: a set of permissions, written as words (section 8).

The same grant comes back in many spellings: merged, split, in another order, permission
sets expanded or not (requirement 8.9). So a scope is never compared as a string: it is
parsed, and asked what it allows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Self

from ..errors import ScopeInvalid
from ..syntax.nsid import group_of
from .permission import Permission

ATPROTO: Final = "atproto"
"""In every scope; alone it means signing in and nothing else."""

TRANSITION_GENERIC: Final = "transition:generic"
TRANSITION_CHAT: Final = "transition:chat.bsky"
TRANSITION_EMAIL: Final = "transition:email"
"""What an app password was: coarse, and to be retired (requirement 8.6)."""

_WORDS: Final = frozenset(
    {ATPROTO, TRANSITION_GENERIC, TRANSITION_CHAT, TRANSITION_EMAIL}
)
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")
_READ_EMAIL: Final = Permission.of("account", "email", "read")


def parse_scope(text: str) -> tuple[str, ...]:
    """Split a scope into its words, in order and each once (RFC 6749 §3.3).

    Whether `atproto` is among them is the caller's to ask: what a server grants, and
    what we ask of it, are judged in different places (requirements 4.6 and 6.10).

    Raises:
        ScopeInvalid: empty, not separated by single spaces, or with characters that a
            scope cannot have.
    """
    if _SCOPE.fullmatch(text) is None:
        raise ScopeInvalid("not a scope")
    return tuple(dict.fromkeys(text.split(" ")))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeSet:
    """What a scope allows, however it was spelled.

    Words that are no permission we know are kept and allow nothing: servers grow
    resources before clients do, and drop those that they do not know (8.8).
    """

    permissions: tuple[Permission, ...]
    words: tuple[str, ...]
    """`atproto`, `transition:...`, and what we do not know."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a scope, as granted or as asked for.

        Raises:
            ScopeInvalid: not a scope (8.1); a word alone never makes it one.
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
        """Tell whether it is granted, or could be by a permission set (8.4).

        Some servers return `include:` as it was asked for, and only they know what is
        in the set: then the host is to be asked, and answers 403 if it is not (8.11).

        Raises:
            ScopeInvalid: `wanted` is a string and no permission.
        """
        return self._judge(
            wanted,
            lambda part: (
                self._covers(part)
                or any(_could_hold(include, part) for include in self.includes)
            ),
        )

    def missing(self, scope: str) -> tuple[str, ...]:
        """Return the words to ask for so that all of `scope` is granted; () for none.

        Of a permission that is granted in part, the rest. A permission set that was
        replaced by what is in it is not missing, as far as anybody here can tell.

        Raises:
            ScopeInvalid: `scope` is none.
        """
        asked = ScopeSet.parse(scope)
        words = [word for word in asked.words if word not in self.words]
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
        """Return a scope parameter that says the same."""
        return " ".join((*self.words, *map(str, self.permissions)))

    def _judge(
        self, wanted: Permission | str, is_granted: Callable[[Permission], bool]
    ) -> bool:
        if isinstance(wanted, str):
            if wanted in _WORDS:
                return wanted in self.words
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
        """Tell whether a part is granted, or what came of it if it is a set (8.9)."""
        if self._covers(part):
            return True
        return part.resource == "include" and any(
            _could_hold(part, granted) for granted in self.permissions
        )

    def _covers(self, part: Permission) -> bool:
        return self._is_transitional(part) or any(
            granted.covers(part) for granted in self.permissions
        )

    def _is_transitional(self, part: Permission) -> bool:
        """Tell whether one of the coarse words grants this (8.6)."""
        if part.resource == "account":
            return TRANSITION_EMAIL in self.words and _READ_EMAIL.covers(part)
        if TRANSITION_GENERIC not in self.words:
            return False
        if part.resource == "rpc" and part.subjects[0].startswith(("chat.bsky.", "*")):
            return TRANSITION_CHAT in self.words
        return part.resource in {"repo", "rpc", "blob"}


def _could_hold(include: Permission, granted: Permission) -> bool:
    """Tell whether this can have come of a permission set: its own group only (8.4)."""
    group = f"{group_of(include.subjects[0])}."
    return granted.resource in {"repo", "rpc"} and any(
        subject.startswith(group) for subject in granted.subjects
    )
