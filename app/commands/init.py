"""`flask --app wsgi init`: create the schema and the first signing keys."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from app.flows.keys.rings import CLIENT_ALGORITHM
from app.flows.ports import Ring, StoredKey

from .administration import Administration, in_one_line


def command(administration: Administration) -> click.Command:
    """Return the command."""

    @click.command("init")
    def init() -> None:
        """Create the schema and the first keys; safe to repeat.

        A database of an older release is refused: `upgrade` migrates it.
        """
        in_one_line(partial(_initialise, administration))

    return init


def _initialise(administration: Administration) -> None:
    is_new = administration.schema.apply_schema()
    click.echo(f"schema: {'created' if is_new else 'up to date'}")
    if administration.platform_algorithm is not None:
        added = administration.prepare_keys.prepare(
            "platform",
            administration.platform_algorithm,
            imported=_read(administration.signing_key_path),
        )
        _report("platform", added)
    if administration.has_client_keys:
        added = administration.prepare_keys.prepare(
            "client",
            CLIENT_ALGORITHM,
            imported=_read(administration.client_jwk_path),
        )
        _report("client", added)


def _read(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()


def _report(ring: Ring, added: StoredKey | None) -> None:
    if added is None:
        click.echo(f"{ring} key: there already")
    else:
        click.echo(f"{ring} key: added {added.kid} ({added.alg}, {added.status})")
