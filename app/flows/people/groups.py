"""Groups of accounts: the operator's `groups add | remove | list`.

Forward auth lets in members of a group alone (`?group=`) and names a person's groups in
`X-Auth-Request-Groups`; so the number and the length of names are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from app.atproto.syntax.grammar import Did
from app.flows.errors import GroupRefused
from app.flows.operator import Operator
from app.flows.ports import Audit

from .who import FindAccount

NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?")

MOST_GROUPS: Final = 1_000
"""Groups of the platform."""

MOST_OF_ONE: Final = 50
"""Groups of one account: their names are one header, of at most 1,649 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group; it stays when its last member leaves."""

    name: str
    members: int
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of a group."""

    did: Did
    username: str | None
    """None when the DID has no account here, or not yet."""
    added_at: float


class Groups(Protocol):
    """The groups and their members."""

    def add(self, name: str, did: Did, *, now: float) -> bool:
        """Make a DID a member, and the group if it is new; False if it was one."""

    def remove(self, name: str, did: Did) -> bool:
        """Remove a member; False if it was none."""

    def list(self) -> Sequence[Group]:
        """Return all groups by name."""

    def members(self, name: str) -> Sequence[Member]:
        """Return the members of a group by username, those without one last."""

    def of(self, did: Did) -> tuple[str, ...]:
        """Return the names of the groups of a DID, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManageGroups:
    """`groups add | remove | list`; every change is audited."""

    groups: Groups
    find: FindAccount
    audit: Audit
    clock: Callable[[], float]

    def add(self, name: str, who: str, *, by: Operator) -> tuple[Did, bool]:
        """Make an account a member; return its DID, and False if it was one.

        A DID without an account here may be added: it is a member once it signs up.

        Raises:
            GroupRefused: the name breaks the grammar, or a bound is reached.
            AccountUnknown, WhoAmbiguous: as `FindAccount`.
        """
        if not NAME.fullmatch(name):
            raise GroupRefused(
                f"{name[:40]!r} is no name of a group: 1 to 32 of a-z, 0-9, dot, dash "
                "and underscore, the first and last a letter or digit"
            )
        did = self.find.did(who)
        self._require_room(name, did)
        is_new = self.groups.add(name, did, now=self.clock())
        if is_new:
            self._record("group_member_added", name, did, by=by)
        return did, is_new

    def remove(self, name: str, who: str, *, by: Operator) -> tuple[Did, bool]:
        """Remove a member; return its DID, and False if it was none.

        Raises:
            GroupRefused: there is no such group.
            AccountUnknown, WhoAmbiguous: as `FindAccount`.
        """
        self._require_known(name)
        did = self.find.did(who)
        is_removed = self.groups.remove(name, did)
        if is_removed:
            self._record("group_member_removed", name, did, by=by)
        return did, is_removed

    def list(self) -> Sequence[Group]:
        """Return all groups by name."""
        return self.groups.list()

    def members(self, name: str) -> Sequence[Member]:
        """Return the members of a group. Raises `GroupRefused` for an unknown one."""
        self._require_known(name)
        return self.groups.members(name)

    def _require_known(self, name: str) -> None:
        if name not in {group.name for group in self.groups.list()}:
            raise GroupRefused(f"no group is {name[:40]!r}")

    def _require_room(self, name: str, did: Did) -> None:
        names, own = {group.name for group in self.groups.list()}, self.groups.of(did)
        if name not in names and len(names) >= MOST_GROUPS:
            raise GroupRefused(f"there are {MOST_GROUPS} groups, which is the most")
        if name not in own and len(own) >= MOST_OF_ONE:
            raise GroupRefused(f"{did} is in {MOST_OF_ONE} groups, which is the most")

    def _record(self, event: str, name: str, did: Did, *, by: Operator) -> None:
        detail = {**by.as_detail(), "group": name}
        self.audit.record(event, now=self.clock(), did=did, detail=detail)
