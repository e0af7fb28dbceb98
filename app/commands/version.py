"""`flask --app wsgi version`: the release, and the schema that the database has."""

from __future__ import annotations

from dataclasses import dataclass

import click

from app.flows.errors import StorageFailed

from .administration import Administration
from .framework.output import meaning, print_record, prints


@dataclass(frozen=True)
class Versions:
    """What is installed, and what the database was made by."""

    release: str = meaning("the release of this program")
    needed_schema: str = meaning("the release whose schema this program needs")
    schema: str | None = meaning(
        "the release whose schema the database has; null if it is empty or does not "
        "answer"
    )


def command(administration: Administration, version: str) -> click.Command:
    """Return the command."""

    @prints(Versions)
    @click.command("version")
    def show() -> None:
        """Show the release, the schema that it needs, and the one of the database.

        Schemas are named after the release that brought them.
        """
        print_record(
            Versions(version, administration.needed_schema, _schema(administration))
        )

    return show


def _schema(administration: Administration) -> str | None:
    try:
        return administration.schema.schema_version()
    except StorageFailed as error:
        click.echo(f"the database does not answer: {error}", err=True)
        return None
