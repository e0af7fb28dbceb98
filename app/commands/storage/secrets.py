"""`flask --app wsgi secrets`: which key encrypts which rows, and change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import click

from app.commands.administration import Administration, in_one_line
from app.commands.framework.acting import with_operator
from app.commands.framework.output import (
    meaning,
    print_record,
    print_records,
    prints,
    progress,
)
from app.flows.counted import counted
from app.flows.operator import Operator


@dataclass(frozen=True)
class SecretKeyLine:
    """The rows that one key encrypts."""

    key: str = meaning("fingerprint of the key; it tells nothing about the key")
    setting: str | None = meaning("the setting that holds the key; null: none does")
    rows: int = meaning("rows that are encrypted under it")
    tables: Mapping[str, int] = meaning("the same by table")


@dataclass(frozen=True)
class ResealedRows:
    """What a reseal did."""

    resealed: int = meaning("rows that are encrypted under SECRET_KEY now")
    unreadable: int = meaning("rows that no configured key decrypts")
    left: int = meaning(
        "rows still under another key: unreadable, or written meanwhile by a process "
        "with an older SECRET_KEY"
    )


def group(administration: Administration) -> click.Group:
    """Return the group of commands."""
    secrets = click.Group("secrets", help="The secrets in the database.")
    secrets.add_command(_status(administration))
    secrets.add_command(_reseal(administration))
    return secrets


def _status(administration: Administration) -> click.Command:
    @prints(SecretKeyLine)
    @click.command("status")
    def status() -> None:
        """Count the rows that each key encrypts, by its fingerprint.

        A key without rows may leave SECRET_KEY_FALLBACKS, once every process has the
        current SECRET_KEY. Exits with 1 when a key has rows and no setting holds it.
        """
        keys = in_one_line(administration.reseal_secrets.status)
        print_records(
            SecretKeyLine(one.fingerprint, one.setting, one.rows, dict(one.tables))
            for one in keys
        )
        missing = [one.fingerprint for one in keys if one.setting is None]
        if missing:
            raise click.ClickException(
                f"no setting holds {', '.join(missing)}: add these former values of "
                "LATCHKEY_SECRET_KEY to LATCHKEY_SECRET_KEY_FALLBACKS"
            )

    return status


def _reseal(administration: Administration) -> click.Command:
    @prints(ResealedRows)
    @click.command("reseal")
    @with_operator
    def reseal(operator: Operator) -> None:
        """Encrypt every row under the current SECRET_KEY, while the service runs.

        It may be interrupted and run again. Every process needs the current
        SECRET_KEY before, and the former one in SECRET_KEY_FALLBACKS until this has
        ended with 0. Exits with 1 when rows are left.
        """
        use_case = administration.reseal_secrets
        total = in_one_line(use_case.left)
        with progress("rows", total) as step:
            done = in_one_line(lambda: use_case.run(operator, step))
        print_record(ResealedRows(done.resealed, done.unreadable, done.left))
        if done.left:
            raise click.ClickException(
                f"{counted(done.left, 'row is', 'rows are')} left under another key: "
                "see `secrets status`"
            )

    return reseal
