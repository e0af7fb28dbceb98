"""`flask --app wsgi backup` and `restore`: all tables, into a folder and back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from app.commands.administration import Administration, in_one_line
from app.commands.framework.acting import with_operator
from app.commands.framework.output import meaning, print_record, prints, progress
from app.flows.operator import Operator


@dataclass(frozen=True)
class BackupMade:
    """A backup that was made."""

    path: str = meaning("the folder of the backup")
    schema: str = meaning("the release whose schema it has")
    rows: int = meaning("rows of all tables")
    deleted: list[str] = meaning("older backups that were deleted (BACKUP_KEEP)")


@dataclass(frozen=True)
class BackupRestored:
    """A backup that was restored."""

    path: str = meaning("the folder of the backup")
    schema: str = meaning("the release whose schema it had")
    rows: int = meaning("rows of all tables, read back and compared")


def back_up(administration: Administration) -> click.Command:
    """Return the command `backup`."""

    @prints(BackupMade)
    @click.command("backup")
    @click.argument(
        "directory",
        type=click.Path(path_type=Path),
        help="Where backups go; it exists already.",
    )
    @with_operator
    def backup(directory: Path, operator: Operator) -> None:
        """Write all tables into a new folder in DIRECTORY, while the service runs.

        The folder holds the rows as they are at one moment, for its owner alone.
        Secrets stay encrypted: keep SECRET_KEY elsewhere, a restore needs it. The
        newest BACKUP_KEEP backups of DIRECTORY stay. An interrupted backup leaves
        nothing behind and may run again.
        """
        made = in_one_line(
            lambda: administration.storage.back_up.run(
                directory, operator=operator, progress=progress
            )
        )
        deleted = [str(path) for path in made.deleted]
        print_record(BackupMade(str(made.path), made.schema, made.rows, deleted))

    return backup


def restore(administration: Administration) -> click.Command:
    """Return the command `restore`."""

    @prints(BackupRestored)
    @click.command("restore")
    @click.argument(
        "directory",
        type=click.Path(path_type=Path),
        help="The folder of one backup.",
    )
    @with_operator
    def restore(directory: Path, operator: Operator) -> None:
        """Fill the empty database of DATABASE_URL from the backup in DIRECTORY.

        Refuses a database with tables, a backup that was changed, and secrets that
        SECRET_KEY and SECRET_KEY_FALLBACKS do not open; nothing is kept then. A backup
        of an older release is migrated. SQLite and PostgreSQL restore each other's.
        """
        restored = in_one_line(
            lambda: administration.storage.restore.run(
                directory,
                operator=operator,
                progress=progress,
                report=lambda step: click.echo(step, err=True),
            )
        )
        record = BackupRestored(str(restored.path), restored.schema, restored.rows)
        print_record(record)

    return restore
