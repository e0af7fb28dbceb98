"""`flask --app wsgi config check`: what the settings of this deployment come to."""

from __future__ import annotations

import click

from .administration import Administration


def group(administration: Administration) -> click.Group:
    """Return the group of commands."""
    config = click.Group("config", help="The settings of this deployment.")

    @config.command("check")
    def check() -> None:
        """Say what the settings come to; a wrong one never gets this far."""
        for line in administration.settings_summary:
            click.echo(line)

    return config
