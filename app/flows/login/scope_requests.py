"""Scope requests: which scope a login asks for (requirement 8.10).

Permissions are compared by their meaning (requirement 8.9). The pushed scope uses the
words of the client metadata, because authorization servers compare the two word by word
(requirement 4.6).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.atproto.errors import ScopeInvalid, printable
from app.atproto.records import SCOPE_LIMIT, SCOPE_WORDS
from app.atproto.scopes.permission import Permission
from app.atproto.scopes.scope import ScopeSet
from app.flows.errors import ScopeRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """The scope of every sign-in, and the largest that a service may ask for."""

    scope: str
    declared: str
    """The scope of the client metadata: SCOPE_MAX and SCOPE."""

    def parse(self, text: str | None) -> str:
        """Return a scope that may be asked for, or "" if none was given.

        Raises:
            ScopeRefused: malformed, too long, or more than SCOPE_MAX.
        """
        if not text:
            return ""
        if len(text) > SCOPE_LIMIT or text.count(" ") >= SCOPE_WORDS:
            raise ScopeRefused("too long: no server could grant it")
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
        """Return the words of `asked` that are not granted.

        `granted` is None if the OAuth session has ended.
        """
        if not asked:
            return ()
        if granted is None:
            return tuple(asked.split(" "))
        return ScopeSet.parse(granted).missing(asked)

    def to_ask(self, asked: str, held: str | None = None) -> str:
        """Return the scope to push: that of every sign-in, `asked`, and `held`.

        `held` is what the session has, so that a login takes no permission away. Each
        permission is asked for by the narrowest declared word that covers it; without
        one it is left out.
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
    """Return the `include:` words that may have granted a part (requirement 8.4)."""
    return {
        word: wide
        for word, wide in known.items()
        if wide.resource == "include" and ScopeSet.parse(word).may_allow(str(part))
    }


def _narrowest(covering: Mapping[str, Permission]) -> str:
    """Return the word whose permission covers no narrower one."""
    return next(
        word
        for word, narrow in covering.items()
        if not any(
            narrow.covers(other) and narrow != other for other in covering.values()
        )
    )
