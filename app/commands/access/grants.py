"""`flask --app wsgi grants`: what people let OAuth clients have, and its end.

WHO is a username, `@handle` or DID.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial

import click

from app.atproto.syntax.grammar import Did
from app.commands.administration import Administration, in_one_line
from app.commands.framework.acting import TAKES_ID, confirm, with_operator, yes_option
from app.commands.framework.output import (
    at,
    meaning,
    print_record,
    print_records,
    prints,
)
from app.flows.operator import Operator
from app.flows.provider.grants.records import ListedGrant

OF = click.option("--of", "who", metavar="WHO", help="Those of an account.")
CLIENT = click.option("--client", "client_id", metavar="ID", help="Those of a client.")


@dataclass(frozen=True, slots=True)
class GrantRow:
    """A living grant: one sign-in of an account at a client."""

    grant: str = meaning("the id of the grant; the `sid` of its id_tokens")
    client_id: str = meaning("which client has it")
    did: str = meaning("whose it is")
    username: str = meaning("of the account")
    scope: str = meaning("what the client is told; separated by spaces")
    resource: str | None = meaning("null: this release has no resources")
    since: datetime | None = meaning("when the person let the client in")
    used_at: datetime | None = meaning("when tokens were last issued")
    expires_at: datetime | None = meaning("when it ends if it is not used again")


@dataclass(frozen=True, slots=True)
class GrantsEnded:
    """What `grants end` did."""

    grants_ended: int = meaning("how many grants ended")


def group(administration: Administration) -> click.Group:
    """Return the group of commands."""
    grants = click.Group("grants", help="What people let OAuth clients have.")

    @prints(GrantRow)
    @grants.command("list")
    @OF
    @CLIENT
    def list_grants(who: str | None, client_id: str | None) -> None:
        """List the living grants, of an account, of a client, or all."""
        in_one_line(partial(_list, administration, who, client_id))

    @prints(GrantsEnded)
    @grants.command("end", context_settings=TAKES_ID)
    @click.argument("grant_id", metavar="[GRANT]", required=False)
    @OF
    @CLIENT
    @yes_option
    @with_operator
    def end(
        *,
        grant_id: str | None,
        who: str | None,
        client_id: str | None,
        yes: bool,
        operator: Operator,
    ) -> None:
        """End one grant, or those of an account, of a client, or of both.

        It holds on every node within 10 seconds. The consent stays: the person signs
        in again without a question. The person removes it on the account page.
        """
        if (grant_id is not None) == (who is not None or client_id is not None):
            raise click.UsageError("give GRANT, or --of WHO, --client ID or both")
        if grant_id is not None:
            act = partial(_end_one, administration, grant_id, yes=yes, by=operator)
        else:
            named = (who, client_id)
            act = partial(_end_all, administration, named, yes=yes, by=operator)
        print_record(GrantsEnded(grants_ended=in_one_line(act)))

    return grants


def _list(
    administration: Administration, who: str | None, client_id: str | None
) -> None:
    found = administration.provider.grants.list(
        did=_did(administration, who),
        client_id=_known(administration, client_id),
    )
    print_records(_row(listed) for listed in found)


def _end_one(
    administration: Administration, grant_id: str, *, yes: bool, by: Operator
) -> int:
    confirm(f"The grant {grant_id} ends; its person signs in again.", yes=yes)
    administration.provider.grants.end_one(grant_id, by=by)
    return 1


def _end_all(
    administration: Administration,
    named: tuple[str | None, str | None],
    *,
    yes: bool,
    by: Operator,
) -> int:
    grants, (who, client_id) = administration.provider.grants, named
    did, client_id = _did(administration, who), _known(administration, client_id)
    count = len(grants.list(did=did, client_id=client_id))
    confirm(f"Grants end: {count}. Their people sign in again.", yes=yes)
    return grants.end_all(did=did, client_id=client_id, by=by)


def _did(administration: Administration, who: str | None) -> Did | None:
    return None if who is None else administration.people.find.did(who)


def _known(administration: Administration, client_id: str | None) -> str | None:
    """Return the id of a client. Raises `ClientUnknown`, for a slip of the pen."""
    if client_id is not None:
        administration.provider.clients.get(client_id)
    return client_id


def _row(listed: ListedGrant) -> GrantRow:
    grant = listed.grant
    return GrantRow(
        grant=grant.grant_id,
        client_id=grant.client_id,
        did=grant.did,
        username=listed.username,
        scope=grant.scope,
        resource=None,
        since=at(grant.created_at),
        used_at=at(grant.used_at),
        expires_at=at(grant.expires_at),
    )
