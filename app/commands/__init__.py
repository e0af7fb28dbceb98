"""The operator's commands: `flask --app wsgi init`, `config check`, `keys`, `sweep`.

They run the same use cases and stores as the service, and say what they did. More of
them (rotation, users, sessions, doctor) belong here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import click
from flask import Flask
from flask.cli import AppGroup

from app.atproto.crypto.keys import Algorithm
from app.flows.errors import FlowError
from app.flows.ports import Ring, SigningKeys, StoredKey
from app.flows.signing_keys import CLIENT_ALGORITHM, PrepareKeys
from app.flows.sweep import Sweep

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Administration:
    """What the commands work with."""

    apply_schema: Callable[[], None]
    keys: SigningKeys
    prepare_keys: PrepareKeys
    sweep: Sweep
    platform_algorithm: Algorithm | None
    """None when the token is signed with a shared secret."""
    has_client_keys: bool
    """False for the public client of loopback development."""
    signing_key_path: Path | None
    client_jwk_path: Path | None
    settings_summary: Sequence[str]


def init_app(app: Flask, administration: Administration) -> None:
    """Register the commands with `flask --app wsgi`."""

    @app.cli.command("init")
    def init() -> None:
        """Create the schema and the first keys; safe to repeat."""
        _refusing_clearly(partial(_initialise, administration))

    @app.cli.command("sweep")
    def sweep() -> None:
        """Delete what is over: old logins, ended sessions, stale cache entries."""
        swept = _refusing_clearly(administration.sweep.run)
        if swept is None:
            click.echo("another sweep is running; nothing to do")
        else:
            click.echo(json.dumps(asdict(swept)))

    app.cli.add_command(_config_group(administration))
    app.cli.add_command(_keys_group(administration))


def _initialise(administration: Administration) -> None:
    administration.apply_schema()
    click.echo("schema: up to date")
    if administration.platform_algorithm is not None:
        added = administration.prepare_keys.prepare(
            "platform",
            administration.platform_algorithm,
            imported=_read(administration.signing_key_path),
        )
        _tell("platform", added)
    if administration.has_client_keys:
        added = administration.prepare_keys.prepare(
            "client",
            CLIENT_ALGORITHM,
            imported=_read(administration.client_jwk_path),
        )
        _tell("client", added)


def _read(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()


def _tell(ring: Ring, added: StoredKey | None) -> None:
    if added is None:
        click.echo(f"{ring} key: there already")
    else:
        click.echo(f"{ring} key: added {added.kid} ({added.alg}, {added.status})")


def _config_group(administration: Administration) -> AppGroup:
    config = AppGroup("config", help="The settings of this deployment.")

    @config.command("check")
    def check() -> None:
        """Say what the settings come to; a wrong one never gets this far."""
        for line in administration.settings_summary:
            click.echo(line)

    return config


def _keys_group(administration: Administration) -> AppGroup:
    keys = AppGroup("keys", help="The two key rings; only public facts are shown.")

    @keys.command("list")
    def list_keys() -> None:
        """List the signing keys of both rings."""
        rings: tuple[Ring, ...] = ("platform", "client")
        for ring in rings:
            stored = _refusing_clearly(partial(administration.keys.list, ring))
            for key in stored:
                click.echo(f"{ring:<9}{key.status:<9}{key.alg:<6}{key.kid}")

    return keys


def _refusing_clearly(act: Callable[[], Result]) -> Result:
    """Turn what an operator can mend into one line instead of a traceback."""
    try:
        return act()
    except (FlowError, OSError) as error:
        raise click.ClickException(str(error)) from error
