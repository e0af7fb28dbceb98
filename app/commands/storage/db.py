"""`flask --app wsgi db copy`: copy the database into one of the other kind."""

from __future__ import annotations

from dataclasses import dataclass

import click

from app.commands.administration import Administration, in_one_line
from app.commands.framework.acting import confirm, with_operator, yes_option
from app.commands.framework.output import meaning, print_record, prints, progress
from app.flows.operator import Operator


@dataclass(frozen=True)
class DatabaseCopied:
    """A database that was copied."""

    rows: int = meaning("rows of all tables, read back and compared")


def group(administration: Administration) -> click.Group:
    """Return the group of commands."""
    db = click.Group("db", help="The database as a whole.")

    @prints(DatabaseCopied)
    @db.command("copy")
    @click.argument("target_url", help="An empty database, as in DATABASE_URL.")
    @yes_option
    @with_operator
    def copy(target_url: str, yes: bool, operator: Operator) -> None:
        """Copy all tables into the empty database at TARGET_URL.

        From SQLite to PostgreSQL or back; both as in DATABASE_URL. Every row is read
        back and compared, every secret opened; if one differs, nothing is kept. Stop
        the service first, and start it with the new DATABASE_URL.
        """
        confirm(
            "What the service writes from now on is not copied: stop it first, and "
            "start it with DATABASE_URL set to the target.",
            yes=yes,
        )
        rows = in_one_line(
            lambda: administration.storage.copy.run(
                target_url, operator=operator, progress=progress
            )
        )
        print_record(DatabaseCopied(rows))

    return db
