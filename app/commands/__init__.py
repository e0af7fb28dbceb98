"""The operator's commands: `flask --app wsgi init | keys | sweep | config | ...`.

One file for each noun. They run the same use cases and stores as the service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial, wraps
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup

from . import (
    audit,
    config,
    doctor,
    init,
    invitations,
    keys,
    sessions,
    sweep,
    users,
    version,
)
from .access import clients, grants, groups, service_keys
from .administration import Administration, in_one_line
from .storage import backup, db, secrets, upgrade

ANY_SCHEMA = frozenset(
    {"backup", "config", "doctor", "init", "restore", "upgrade", "version"}
)
"""Commands that run on a database of any release, or on none."""

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C ended: 128 and the number of SIGINT."""

__all__ = ["Administration", "commands", "init_app"]


def init_app(app: Flask, administration: Administration, release: str) -> None:
    """Register the commands with `flask --app wsgi`."""
    app.cli = Commands(administration, release)


class Commands(AppGroup):
    """The commands, each made when it is asked for."""

    def __init__(self, administration: Administration, release: str) -> None:
        super().__init__()
        self._administration = administration
        self._release = release
        self._makers = _makers(release)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return sorted({*self._makers, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None when there is none of this name."""
        if cmd_name in self._makers and cmd_name not in self.commands:
            bare = self._makers[cmd_name](self._administration)
            self.add_command(_completed(bare, self._administration, self._release))
        return super().get_command(ctx, cmd_name)


def commands(administration: Administration, release: str) -> list[click.Command]:
    """Return the commands by name; each one, and each of a group, has `--version`."""
    bare = [make(administration) for make in _makers(release).values()]
    return [_completed(command, administration, release) for command in bare]


def _makers(release: str) -> dict[str, Callable[[Administration], click.Command]]:
    """Return what makes each command, in the order of docs/commands.md."""
    return {
        "audit": audit.command,
        "backup": backup.back_up,
        "clients": clients.group,
        "config": config.group,
        "db": db.group,
        "doctor": doctor.command,
        "grants": grants.group,
        "groups": groups.group,
        "init": init.command,
        "invitations": invitations.group,
        "keys": keys.group,
        "restore": backup.restore,
        "sessions": sessions.group,
        "secrets": secrets.group,
        "service-keys": service_keys.group,
        "sweep": sweep.command,
        "upgrade": upgrade.command,
        "users": users.group,
        "version": partial(version.command, version=release),
    }


def _completed(
    command: click.Command, administration: Administration, release: str
) -> click.Command:
    """Return a command with what every command of the service has."""
    says_version = _version_option(release)
    for each in _with_subcommands(command):
        each.params.append(says_version)
        if command.name not in ANY_SCHEMA:
            _require_schema(each, administration)
        _end_quietly(each)
    return command


def _version_option(release: str) -> click.Parameter:
    """Return the option of all commands: click takes a millisecond to make one."""
    bare = click.Command(None)
    click.version_option(release, message="Latchkey %(version)s")(bare)
    return bare.params[0]


def _require_schema(command: click.Command, administration: Administration) -> None:
    """Let a command run only on a database with the schema of this release."""
    run = command.callback
    if run is None:
        return

    @wraps(run)
    def guarded(*args: Any, **options: Any) -> Any:
        in_one_line(administration.schema.require_schema)
        return run(*args, **options)

    command.callback = guarded


def _end_quietly(command: click.Command) -> None:
    """Let Ctrl-C end a command with the exit code of a shell, and no traceback."""
    run = command.callback
    if run is None:
        return

    @wraps(run)
    def interruptible(*args: Any, **options: Any) -> Any:
        try:
            return run(*args, **options)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None

    command.callback = interruptible


def _with_subcommands(command: click.Command) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        for each in command.commands.values():
            yield from _with_subcommands(each)
