"""Whom a proxy lets in: `?group=` and `?user=` of forward auth.

The operator writes them into the proxy's configuration, so values that cannot be read
are refused for everyone: a mistake must not open a service.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from app.flows.errors import NotAllowedHere, RuleInvalid
from app.tokens.verifier import VerifiedClaims

from .groups import NAME

MOST: Final = 50
"""Names of one rule."""

LONGEST: Final = 2_048
"""Characters of a username or DID (the DID syntax has this limit)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Lets in all who are signed in, or those alone who meet both parts."""

    groups: frozenset[str] | None = None
    """Members of any of these; None: no group is needed."""
    users: frozenset[str] | None = None
    """These usernames and DIDs; None: everyone."""

    @classmethod
    def parse(cls, *, group: Sequence[str], user: Sequence[str]) -> Rule:
        """Read the values of the two parameters, each a list with commas.

        Raises:
            RuleInvalid: a parameter is there twice, a name is empty or too long, there
                are too many, or a group has a name that no group can have.
        """
        groups, users = _names("group", group), _names("user", user)
        if groups and not all(map(NAME.fullmatch, groups)):
            raise RuleInvalid("group: not the name of a group")
        if users is not None:
            users = frozenset(n if n[:4] == "did:" else n.lower() for n in users)
        return cls(groups, users)

    def require(self, claims: VerifiedClaims, groups: Collection[str]) -> None:
        """Raise `NotAllowedHere` for an account that may not pass."""
        in_group = self.groups is None or not self.groups.isdisjoint(groups)
        names = (claims.username, claims.did)
        is_named = self.users is None or not self.users.isdisjoint(names)
        if not (in_group and is_named):
            raise NotAllowedHere(claims.username)


def _names(parameter: str, values: Sequence[str]) -> frozenset[str] | None:
    if not values:
        return None
    if len(values) > 1:
        raise RuleInvalid(f"{parameter}: given twice")
    names = values[0].split(",")
    if len(names) > MOST or not all(0 < len(name) <= LONGEST for name in names):
        raise RuleInvalid(f"{parameter}: 1 to {MOST} names, none of them empty")
    return frozenset(names)
