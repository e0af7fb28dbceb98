"""`flask --app wsgi upgrade`: migrate the database to the schema of this release."""

from __future__ import annotations

from dataclasses import dataclass

import click

from app.commands.administration import Administration, in_one_line
from app.commands.framework.acting import with_operator
from app.commands.framework.output import meaning, print_record, prints, wants_json
from app.flows.operator import Operator


@dataclass(frozen=True)
class SchemaUpgrade:
    """What an upgrade did."""

    before: str | None = meaning("release whose schema the database had; null if empty")
    after: str | None = meaning("release whose schema it has now; null if empty")


def command(administration: Administration) -> click.Command:
    """Return the command."""

    @prints(SchemaUpgrade)
    @click.command("upgrade")
    @with_operator
    def upgrade(operator: Operator) -> None:
        """Migrate the database to the schema of this release.

        The release before may serve meanwhile. An interrupted upgrade may run again; of
        several nodes one migrates and the others wait. An empty database stays empty:
        `init` creates its tables. Without a change to make it exits with 0.
        """
        before, after = in_one_line(
            lambda: administration.storage.upgrade.run(
                operator, lambda step: click.echo(step, err=True)
            )
        )
        if before is None and not wants_json():
            click.echo("the database is empty: `init` creates its tables", err=True)
        print_record(SchemaUpgrade(before, after if before else None))

    return upgrade
