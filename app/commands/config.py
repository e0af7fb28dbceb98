"""`flask --app wsgi config check`: what the settings of this deployment come to."""

from __future__ import annotations

from dataclasses import dataclass

import click

from .administration import Administration
from .framework.output import meaning, print_record, prints, wants_json


@dataclass(frozen=True)
class SettingsChecked:
    """What the settings come to."""

    summary: list[str] = meaning("what the settings come to, and warnings")


def group(administration: Administration) -> click.Group:
    """Return the group of commands."""
    config = click.Group("config", help="The settings of this deployment.")

    @prints(SettingsChecked)
    @config.command("check")
    def check() -> None:
        """Say what the settings come to; a wrong one never gets this far."""
        if wants_json():
            print_record(SettingsChecked(list(administration.settings_summary)))
            return
        for line in administration.settings_summary:
            click.echo(line)

    return config
