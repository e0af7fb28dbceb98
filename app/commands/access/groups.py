"""`flask --app wsgi groups`: groups of accounts, for forward auth and for apps.

WHO is a username, `@handle` or DID everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial

import click

from app.commands.administration import Administration, in_one_line
from app.commands.framework.acting import with_operator
from app.commands.framework.output import (
    at,
    meaning,
    print_record,
    print_records,
    prints,
)
from app.flows.operator import Operator
from app.flows.people.groups import ManageGroups


@dataclass(frozen=True, slots=True)
class GroupChange:
    """What `groups add` or `groups remove` did."""

    group: str = meaning("the name of the group")
    did: str = meaning("the permanent id of the account")
    changed: bool = meaning("false when nothing was to be changed")


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group in `groups list`, or a member in `groups list GROUP`."""

    group: str = meaning("the name of the group")
    members: int | None = meaning("how many there are; null in the list of one group")
    did: str | None = meaning("the DID of a member; null in the list of groups")
    username: str | None = meaning("of the member; null for a DID without an account")
    since: datetime | None = meaning("when the group was made, or the member added")


def group(administration: Administration) -> click.Group:
    """Return the group of commands."""
    groups = click.Group("groups", help="Groups of accounts, for proxies and apps.")

    @prints(GroupChange)
    @groups.command("add")
    @click.argument("name", metavar="GROUP")
    @click.argument("who")
    @with_operator
    def add(name: str, who: str, operator: Operator) -> None:
        """Make an account a member; a new name makes the group."""
        change = partial(administration.people.groups.add, name, who, by=operator)
        did, changed = in_one_line(change)
        print_record(GroupChange(group=name, did=did, changed=changed))

    @prints(GroupChange)
    @groups.command("remove")
    @click.argument("name", metavar="GROUP")
    @click.argument("who")
    @with_operator
    def remove(name: str, who: str, operator: Operator) -> None:
        """Remove a member; it holds everywhere within 10 seconds."""
        change = partial(administration.people.groups.remove, name, who, by=operator)
        did, changed = in_one_line(change)
        print_record(GroupChange(group=name, did=did, changed=changed))

    @prints(GroupRow)
    @groups.command("list")
    @click.argument("name", metavar="[GROUP]", required=False)
    def list_groups(name: str | None) -> None:
        """List the groups, or the members of one."""
        managed = administration.people.groups
        rows = in_one_line(lambda: _members(managed, name) if name else _all(managed))
        print_records(rows)

    return groups


def _all(groups: ManageGroups) -> list[GroupRow]:
    return [
        GroupRow(
            group=one.name,
            members=one.members,
            did=None,
            username=None,
            since=at(one.created_at),
        )
        for one in groups.list()
    ]


def _members(groups: ManageGroups, name: str) -> list[GroupRow]:
    return [
        GroupRow(
            group=name,
            members=None,
            did=one.did,
            username=one.username,
            since=at(one.added_at),
        )
        for one in groups.members(name)
    ]
