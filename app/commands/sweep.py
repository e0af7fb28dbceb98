"""`flask --app wsgi sweep`: delete expired rows; a timer runs it."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from app.flows.sweep import Swept

from .administration import Administration, in_one_line
from .framework.output import prints


def command(administration: Administration) -> click.Command:
    """Return the command."""

    @prints(Swept)
    @click.command("sweep")
    def sweep() -> None:
        """Delete what is over: old logins, ended sessions, stale cache entries.

        Prints how many rows of each were deleted, as JSON in any case; nothing while
        another sweep is running.
        """
        swept = in_one_line(administration.sweep.run)
        if swept is None:
            click.echo("another sweep is running; nothing to do", err=True)
        else:
            click.echo(json.dumps(asdict(swept)))

    return sweep
