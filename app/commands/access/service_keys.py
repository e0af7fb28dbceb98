"""`flask --app wsgi service-keys`: keys with which services ask about accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import cast

import click

from app.commands.administration import Administration, in_one_line
from app.commands.framework.acting import confirm, with_operator, yes_option
from app.commands.framework.output import (
    at,
    meaning,
    print_record,
    print_records,
    prints,
)
from app.flows.operator import Operator
from app.flows.services.keys import RIGHTS, Right, ServiceKey


@dataclass(frozen=True, slots=True)
class ServiceKeyRow:
    """A service key; its secret is not stored."""

    name: str = meaning("the service that it was made for")
    may: str = meaning("what it opens: `users`, `events`, or both")
    created_by: str = meaning("the unix user that made it")
    created: datetime | None = meaning("when it was made")
    used: datetime | None = meaning("when it was last used, to the minute")


@dataclass(frozen=True, slots=True)
class ServiceKeyCreated:
    """A new service key."""

    name: str = meaning("the service that it was made for")
    may: str = meaning("what it opens: `users`, `events`, or both")
    key: str = meaning("the Bearer token of the service: a secret, printed this once")


@dataclass(frozen=True, slots=True)
class ServiceKeyRevoked:
    """What `service-keys revoke` did."""

    name: str = meaning("the key that opens nothing any more")


class RightsType(click.ParamType):  # type: ignore[type-arg] # generic since 8.4
    """Rights, separated by commas."""

    name = "rights"

    def convert(
        self,
        value: str,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> frozenset[Right]:
        """Return the rights; fail on one that there is not."""
        wanted = frozenset(part.strip() for part in value.split(","))
        if not wanted <= set(RIGHTS):
            self.fail(f"{value!r} is not {' or '.join(RIGHTS)}", param, ctx)
        return cast("frozenset[Right]", wanted)


def group(administration: Administration) -> click.Group:
    """Return the group of commands."""
    keys = click.Group("service-keys", help="Keys of services that ask about accounts.")

    @prints(ServiceKeyCreated)
    @keys.command("create")
    @click.argument("name")
    @click.option(
        "--may",
        type=RightsType(),
        required=True,
        metavar="RIGHTS",
        help="What it opens: users, events, or users,events.",
    )
    @with_operator
    def create(name: str, may: frozenset[Right], operator: Operator) -> None:
        """Make a key for a service and print it, this once: it is a secret."""
        managed = administration.people.service_keys
        made = in_one_line(partial(managed.create, name, may=may, by=operator))
        print_record(ServiceKeyCreated(name=name, may=made.key.may, key=made.secret))

    @prints(ServiceKeyRow)
    @keys.command("list")
    def list_keys() -> None:
        """List the keys by name, with their last use."""
        managed = administration.people.service_keys
        in_one_line(lambda: print_records(map(_row, managed.list())))

    @prints(ServiceKeyRevoked)
    @keys.command("revoke")
    @click.argument("name")
    @yes_option
    @with_operator
    def revoke(name: str, yes: bool, operator: Operator) -> None:
        """End a key: its service is refused from the next request on."""
        confirm(f"The service key {name} ends.", yes=yes)
        managed = administration.people.service_keys
        in_one_line(partial(managed.revoke, name, by=operator))
        print_record(ServiceKeyRevoked(name=name))

    return keys


def _row(key: ServiceKey) -> ServiceKeyRow:
    return ServiceKeyRow(
        name=key.name,
        may=key.may,
        created_by=key.created_by,
        created=at(key.created_at),
        used=at(key.used_at),
    )
