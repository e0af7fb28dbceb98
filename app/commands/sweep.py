"""`flask --app wsgi sweep`: delete expired rows; a timer runs it."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from .administration import Administration, in_one_line


def command(administration: Administration) -> click.Command:
    """Return the command."""

    @click.command("sweep")
    def sweep() -> None:
        """Delete what is over: old logins, ended sessions, stale cache entries."""
        swept = in_one_line(administration.sweep.run)
        if swept is None:
            click.echo("another sweep is running; nothing to do")
        else:
            click.echo(json.dumps(asdict(swept)))

    return sweep
