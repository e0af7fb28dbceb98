"""What this platform may ask of people's hosts: little at first, more later (8.10).

Whether a request is allowed, and whether a grant covers it, is decided by what scopes
mean (requirement 8.9). What is sent is spelled as the client metadata spells it:
authorization servers compare the two word by word (requirement 4.6).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.atproto.errors import ScopeInvalid, printable
from app.atproto.scopes.permission import Permission
from app.atproto.scopes.scope import ScopeSet

from .errors import ScopeRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """The scope of every sign-in, and the most that a service may ask for."""

    scope: str
    declared: str
    """The scope of the client metadata: SCOPE_MAX, and SCOPE in its own words."""

    def parse(self, text: str | None) -> str:
        """Return a scope that may be asked for, or "" when none was given.

        Raises:
            ScopeRefused: no scope, or more than SCOPE_MAX.
        """
        if not text:
            return ""
        try:
            asked = ScopeSet.parse(text)
        except ScopeInvalid as error:
            raise ScopeRefused("not a scope") from error
        declared, known = ScopeSet.parse(self.declared), _spellings(self.declared)
        alien = [word for word in asked.words if word not in declared.words]
        alien += [str(part) for part in _parts(asked) if not _covering(part, known)]
        if alien:
            raise ScopeRefused(f"{printable(alien[0])} is not within SCOPE_MAX")
        return str(asked)

    def missing(self, asked: str, granted: str | None) -> tuple[str, ...]:
        """Return the words of `asked` that are not granted; () when all is.

        `granted` is None when the session at the host is over.
        """
        if not asked:
            return ()
        if granted is None:
            return tuple(asked.split(" "))
        return ScopeSet.parse(granted).missing(asked)

    def to_ask(self, asked: str, held: str | None = None) -> str:
        """Return the scope to push: that of every sign-in, what is asked, what is held.

        What is held rides along, so that no one has less afterwards. A permission goes
        out as the narrowest declared one that covers it; what is declared no longer
        cannot be asked for.
        """
        declared, known = ScopeSet.parse(self.declared), _spellings(self.declared)
        words = dict.fromkeys(self.scope.split(" "))
        for wanted in map(ScopeSet.parse, filter(None, (asked, held))):
            words.update((w, None) for w in wanted.words if w in declared.words)
            for part in _parts(wanted):
                covering = _covering(part, known) or _including(part, known)
                if covering and words.keys().isdisjoint(covering):
                    words[_narrowest(covering)] = None
        return " ".join(words)


def _spellings(scope: str) -> dict[str, Permission]:
    """Return the permissions of a scope, each by the word that stands for it."""
    known = {}
    for word in scope.split(" "):
        for permission in ScopeSet.parse(word).permissions:
            known[word] = permission
    return known


def _parts(scope: ScopeSet) -> Iterator[Permission]:
    for permission in scope.permissions:
        yield from permission.parts()


def _covering(
    part: Permission, known: Mapping[str, Permission]
) -> dict[str, Permission]:
    """Return the declared permissions that allow all of a part."""
    return {word: wide for word, wide in known.items() if wide.covers(part)}


def _including(
    part: Permission, known: Mapping[str, Permission]
) -> dict[str, Permission]:
    """Return the permission sets that a granted part may have come of (8.4, 8.9)."""
    return {
        word: wide
        for word, wide in known.items()
        if wide.resource == "include" and ScopeSet.parse(word).may_allow(str(part))
    }


def _narrowest(covering: Mapping[str, Permission]) -> str:
    """Return the word of a permission that covers none of the others."""
    return next(
        word
        for word, narrow in covering.items()
        if not any(
            narrow.covers(other) and narrow != other for other in covering.values()
        )
    )
