"""`flask --app wsgi init`: create the schema and the first signing keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from app.flows.ports import Ring, StoredKey

from .administration import Administration, in_one_line
from .framework.output import meaning, print_record, prints, wants_json


@dataclass(frozen=True)
class Initialised:
    """What `init` created."""

    schema_created: bool = meaning("whether the database was empty")
    platform_key: str | None = meaning("id of the platform key that was added, or null")
    client_key: str | None = meaning("id of the client key that was added, or null")


def command(administration: Administration) -> click.Command:
    """Return the command."""

    @prints(Initialised)
    @click.command("init")
    def init() -> None:
        """Create the schema and the first keys; safe to repeat.

        A database of an older release is refused: `upgrade` migrates it.
        """
        is_new = in_one_line(administration.schema.apply_schema)
        added = in_one_line(lambda: _add_keys(administration))
        if wants_json():
            kids = {ring: key.kid for ring, key in added.items() if key}
            record = Initialised(is_new, kids.get("platform"), kids.get("client"))
            print_record(record)
            return
        click.echo(f"schema: {'created' if is_new else 'up to date'}")
        for ring, key in added.items():
            _report(ring, key)

    return init


def _add_keys(administration: Administration) -> dict[Ring, StoredKey | None]:
    paths: dict[Ring, Path | None] = {
        "platform": administration.signing_key_path,
        "client": administration.client_jwk_path,
    }
    prepare = administration.keys.prepare.prepare
    return {
        ring: prepare(ring, algorithm, imported=_read(paths[ring]))
        for ring, algorithm in administration.keys.algorithms.items()
    }


def _read(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()


def _report(ring: Ring, added: StoredKey | None) -> None:
    if added is None:
        click.echo(f"{ring} key: there already")
    else:
        click.echo(f"{ring} key: added {added.kid} ({added.alg}, {added.status})")
