"""`flask --app wsgi clients`: apps that sign people in through the platform."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import click

from app.commands.administration import Administration, in_one_line
from app.commands.framework.acting import confirm, with_operator, yes_option
from app.commands.framework.output import (
    meaning,
    print_record,
    print_records,
    prints,
    wants_json,
)
from app.flows.operator import Operator
from app.flows.provider.clients import ManageClients
from app.flows.provider.presets import NAMES, PRESETS

from . import client_secrets
from .client_records import (
    ClientAdded,
    ClientRow,
    ClientShown,
    added_record,
    named_in,
    registration_options,
    row_record,
    shown_record,
)

ALLOW = click.option(
    "--allow",
    multiple=True,
    metavar="WHO",
    help="Who may use it: everyone, group:NAME, a DID, @handle (looked up now) or "
    "*.example.org (handles below it). May be repeated.",
)


@dataclass(frozen=True, slots=True)
class ClientState:
    """What `clients disable`, `enable` and `remove` did."""

    client_id: str = meaning("names the client")
    state: str = meaning("`disabled`, `enabled` or `removed`")


@dataclass(frozen=True, slots=True)
class ClaimsTold:
    """What a client would be told of an account."""

    client_id: str = meaning("names the client")
    did: str = meaning("the permanent id of the account")
    username: str = meaning("the username on the platform")
    allowed: bool = meaning("whether the account may use the client")
    why: str = meaning("the entry of its policy that decides, or why not")
    claims: dict[str, Any] = meaning("what it is told; empty if not allowed")


def group(administration: Administration) -> click.Group:
    """Return the group of commands."""
    clients = click.Group("clients", help="Apps that sign people in through us.")
    clients.add_command(_add(administration))
    clients.add_command(_list(administration))
    clients.add_command(_show(administration))
    clients.add_command(_edit(administration))
    clients.add_command(_disable(administration))
    clients.add_command(_enable(administration))
    clients.add_command(_remove(administration))
    clients.add_command(_claims(administration))
    clients.add_command(client_secrets.group(administration))
    return clients


def _add(administration: Administration) -> click.Command:
    @prints(ClientAdded)
    @click.command("add")
    @click.argument("client_id", metavar="ID")
    @click.option("--preset", type=click.Choice(NAMES), help="The app it is made for.")
    @click.option("--url", metavar="URL", help="Where the app of the preset is.")
    @click.option(
        "--public", "is_public", is_flag=True, default=None, help="No secret."
    )
    @ALLOW
    @registration_options
    @with_operator
    def add(
        client_id: str,
        *,
        url: str | None,
        allow: tuple[str, ...],
        operator: Operator,
        **options: Any,
    ) -> None:
        """Register an app, and print the configuration to paste into it.

        The configuration holds the app's secret, which is printed this once.
        """
        act = partial(
            administration.provider.clients.add,
            client_id,
            named=named_in(options),
            allow=allow,
            url=url,
            by=operator,
        )
        record = added_record(in_one_line(act))
        _say_where(record.preset)
        if wants_json():
            print_record(record)
        else:
            click.echo(record.configuration, nl=False)

    return add


def _list(administration: Administration) -> click.Command:
    @prints(ClientRow)
    @click.command("list")
    def list_clients() -> None:
        """List the clients."""
        found = in_one_line(administration.provider.clients.list)
        print_records(map(row_record, found))

    return list_clients


def _show(administration: Administration) -> click.Command:
    @prints(ClientShown)
    @click.command("show")
    @click.argument("client_id", metavar="ID")
    def show(client_id: str) -> None:
        """Show a client; its secrets are not stored and cannot be shown."""
        in_one_line(partial(_print_shown, administration.provider.clients, client_id))

    return show


def _edit(administration: Administration) -> click.Command:
    @prints(ClientShown)
    @click.command("edit")
    @click.argument("client_id", metavar="ID")
    @ALLOW
    @registration_options
    @with_operator
    def edit(
        client_id: str, allow: tuple[str, ...], operator: Operator, **options: Any
    ) -> None:
        """Replace what is named, a list as a whole; the rest stays."""
        named, clients = named_in(options), administration.provider.clients
        if not named and not allow:
            raise click.UsageError("Name what is to be changed.")
        act = partial(clients.edit, client_id, named=named, allow=allow, by=operator)
        in_one_line(act)
        in_one_line(partial(_print_shown, clients, client_id))

    return edit


def _disable(administration: Administration) -> click.Command:
    @prints(ClientState)
    @click.command("disable")
    @click.argument("client_id", metavar="ID")
    @yes_option
    @with_operator
    def disable(client_id: str, yes: bool, operator: Operator) -> None:
        """Let no account use a client until it is enabled; its grants end."""
        clients = administration.provider.clients
        in_one_line(partial(clients.get, client_id))
        confirm(f"All are signed out of {client_id}, and stay out.", yes=yes)
        in_one_line(partial(clients.disable, client_id, by=operator))
        print_record(ClientState(client_id=client_id, state="disabled"))

    return disable


def _enable(administration: Administration) -> click.Command:
    @prints(ClientState)
    @click.command("enable")
    @click.argument("client_id", metavar="ID")
    @with_operator
    def enable(client_id: str, operator: Operator) -> None:
        """Open a client that was disabled."""
        clients = administration.provider.clients
        in_one_line(partial(clients.enable, client_id, by=operator))
        print_record(ClientState(client_id=client_id, state="enabled"))

    return enable


def _remove(administration: Administration) -> click.Command:
    @prints(ClientState)
    @click.command("remove")
    @click.argument("client_id", metavar="ID")
    @yes_option
    @with_operator
    def remove(client_id: str, yes: bool, operator: Operator) -> None:
        """Delete a client with its secrets, grants and consents."""
        clients = administration.provider.clients
        in_one_line(partial(clients.get, client_id))
        confirm(f"The client {client_id} and its secrets are deleted.", yes=yes)
        in_one_line(partial(clients.remove, client_id, by=operator))
        print_record(ClientState(client_id=client_id, state="removed"))

    return remove


def _claims(administration: Administration) -> click.Command:
    @prints(ClaimsTold)
    @click.command("claims")
    @click.argument("client_id", metavar="ID")
    @click.argument("who", metavar="USERNAME")
    def claims(client_id: str, who: str) -> None:
        """Print what a client would be told of an account, or why not."""
        read = administration.provider.claims
        told = in_one_line(partial(read, client_id, who))
        print_record(
            ClaimsTold(
                client_id=client_id,
                did=told.did,
                username=told.username,
                allowed=told.is_allowed,
                why=told.why,
                claims=dict(told.claims),
            )
        )

    return claims


def _print_shown(clients: ManageClients, client_id: str) -> None:
    client = clients.get(client_id)
    ids = tuple(one.secret_id for one in clients.secrets.of(client_id))
    print_record(shown_record(client, ids))


def _say_where(preset: str) -> None:
    tested = "" if PRESETS[preset].is_tested else "; this preset was not tested here"
    click.echo(f"for {PRESETS[preset].where}{tested}:", err=True)
