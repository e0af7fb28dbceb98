"""`flask --app wsgi clients secret`: rotate the secret of an app."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import click

from app.commands.administration import Administration, in_one_line
from app.commands.framework.acting import confirm, with_operator, yes_option
from app.commands.framework.output import meaning, print_record, prints
from app.flows.operator import Operator


@dataclass(frozen=True, slots=True)
class SecretAdded:
    """A further secret of a client."""

    client_id: str = meaning("names the client")
    secret_id: str = meaning("names the secret in these commands")
    client_secret: str = meaning("the secret, printed this once")


@dataclass(frozen=True, slots=True)
class SecretDropped:
    """What `clients secret drop` did."""

    client_id: str = meaning("names the client")
    secret_id: str = meaning("the secret that is good no longer")


def group(administration: Administration) -> click.Group:
    """Return the group of commands."""
    secret = click.Group("secret", help="Rotate the secret of an app.")

    @prints(SecretAdded)
    @secret.command("add")
    @click.argument("client_id", metavar="ID")
    @with_operator
    def add(client_id: str, operator: Operator) -> None:
        """Make a second secret; the first one stays good until it is dropped."""
        secrets = administration.provider.clients.secrets
        made = in_one_line(partial(secrets.add, client_id, by=operator))
        print_record(
            SecretAdded(
                client_id=client_id,
                secret_id=made.secret_id,
                client_secret=made.secret,
            )
        )

    @prints(SecretDropped)
    @secret.command("drop")
    @click.argument("client_id", metavar="ID")
    @click.argument("secret_id", metavar="[SECRET_ID]", required=False)
    @yes_option
    @with_operator
    def drop(
        client_id: str, secret_id: str | None, *, yes: bool, operator: Operator
    ) -> None:
        """Delete a secret: the older one, unless it is named."""
        which = secret_id or "the older one"
        clients = administration.provider.clients
        in_one_line(partial(clients.get, client_id))
        confirm(f"A secret of {client_id} ends: {which}.", yes=yes)
        act = partial(clients.secrets.drop, client_id, secret_id, by=operator)
        print_record(SecretDropped(client_id=client_id, secret_id=in_one_line(act)))

    return secret
