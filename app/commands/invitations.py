"""`flask --app wsgi invitations`: links that let newcomers sign up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial

import click

from app.flows.operator import Operator
from app.flows.people import PeopleUseCases
from app.flows.people.signup.invitations import Invitation

from .administration import Administration, in_one_line
from .framework.acting import confirm, with_operator, yes_option
from .framework.durations import DurationType
from .framework.output import at, meaning, print_record, print_records, prints

MOST_USES = 100_000


@dataclass(frozen=True, slots=True)
class InvitationRow:
    """An invitation; its link is not stored."""

    id: str = meaning("names the invitation in these commands")
    uses: int = meaning("how many newcomers may sign up with it")
    used: int = meaning("how many have")
    created_by: str = meaning("the unix user that made it")
    created: datetime | None = meaning("when it was made")
    expires: datetime | None = meaning("when it ends")
    revoked: datetime | None = meaning("when it was revoked")


@dataclass(frozen=True, slots=True)
class InvitationMade:
    """A new invitation."""

    id: str = meaning("names the invitation in these commands")
    link: str = meaning("the link to pass on: a secret, printed this once")
    uses: int = meaning("how many newcomers may sign up with it")
    expires: datetime | None = meaning("when it ends")


@dataclass(frozen=True, slots=True)
class InvitationRevoked:
    """What `invitations revoke` did."""

    id: str = meaning("the invitation that ended")


def group(administration: Administration) -> click.Group:
    """Return the group of commands."""
    invitations = click.Group("invitations", help="Links that let newcomers sign up.")

    @prints(InvitationMade)
    @invitations.command("create")
    @click.option(
        "--uses",
        type=click.IntRange(1, MOST_USES),
        default=1,
        show_default=True,
        help="How many newcomers may sign up with it.",
    )
    @click.option(
        "--expires",
        type=DurationType(),
        default="7d",
        show_default=True,
        help="After how long it ends.",
    )
    @with_operator
    def create(uses: int, expires: int, operator: Operator) -> None:
        """Make a link and print it, this once: it is a secret."""
        in_one_line(
            partial(
                _create,
                administration.people,
                uses=uses,
                lifetime=expires,
                operator=operator,
            )
        )

    @prints(InvitationRow)
    @invitations.command("list")
    def list_invitations() -> None:
        """List the invitations, the newest first; ended ones until they are swept."""
        in_one_line(
            lambda: print_records(map(_row, administration.people.invitations.list()))
        )

    @prints(InvitationRevoked)
    @invitations.command("revoke")
    @click.argument("invitation_id", metavar="ID")
    @yes_option
    @with_operator
    def revoke(invitation_id: str, yes: bool, operator: Operator) -> None:
        """End an invitation; accounts that signed up with it stay."""
        confirm(f"The link of the invitation {invitation_id} ends.", yes=yes)
        people = administration.people
        in_one_line(partial(people.invitations.revoke, invitation_id, by=operator))
        print_record(InvitationRevoked(id=invitation_id))

    return invitations


def _create(
    people: PeopleUseCases, *, uses: int, lifetime: int, operator: Operator
) -> None:
    if not people.signup_rule.invited:
        click.echo(
            "warning: SIGNUP_ALLOW does not have `invited`, so an invitation changes "
            "nothing about who may sign up",
            err=True,
        )
    made = people.invitations.create(uses=uses, lifetime=lifetime, by=operator)
    print_record(
        InvitationMade(
            id=made.invitation.invitation_id,
            link=made.link,
            uses=made.invitation.uses,
            expires=at(made.invitation.expires_at),
        )
    )


def _row(invitation: Invitation) -> InvitationRow:
    return InvitationRow(
        id=invitation.invitation_id,
        uses=invitation.uses,
        used=invitation.used,
        created_by=invitation.created_by,
        created=at(invitation.created_at),
        expires=at(invitation.expires_at),
        revoked=at(invitation.revoked_at),
    )
