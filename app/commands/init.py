"""`flask --app wsgi init`: create the schema and the first signing keys."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

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
    paths: dict[Ring, Path | None] = {
        "platform": administration.signing_key_path,
        "client": administration.client_jwk_path,
    }
    for ring, algorithm in administration.keys.algorithms.items():
        _report(
            ring,
            administration.keys.prepare.prepare(
                ring, algorithm, imported=_read(paths[ring])
            ),
        )


def _read(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()


def _report(ring: Ring, added: StoredKey | None) -> None:
    if added is None:
        click.echo(f"{ring} key: there already")
    else:
        click.echo(f"{ring} key: added {added.kid} ({added.alg}, {added.status})")
