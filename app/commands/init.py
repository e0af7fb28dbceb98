"""`flask --app wsgi init`: create the schema and the first signing keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from app.atproto.crypto.keys import Algorithm
from app.flows.keys.life_cycle import CLIENT_ALGORITHM
from app.flows.operator import Operator
from app.flows.ports import Ring, StoredKey

from .administration import Administration, in_one_line
from .framework.acting import with_operator
from .framework.output import meaning, print_record, prints, wants_json
from .framework.private_key_file import read_private_key


@dataclass(frozen=True)
class Initialised:
    """What `init` created."""

    schema_created: bool = meaning("whether the database was empty")
    platform_key: str | None = meaning("id of the platform key that was added, or null")
    client_key: str | None = meaning("id of the client key that was added, or null")
    id_token_key: str | None = meaning(
        "id of the RS256 key that was added beside it for id_tokens, or null"
    )


def command(administration: Administration) -> click.Command:
    """Return the command."""

    @prints(Initialised)
    @click.command("init")
    @with_operator
    def init(operator: Operator) -> None:
        """Create the schema and the first keys; safe to repeat.

        A database of an older release is refused: `upgrade` migrates it.
        """
        is_new = in_one_line(administration.schema.apply_schema)
        added = in_one_line(lambda: _add_keys(administration, operator))
        if wants_json():
            print_record(_initialised(administration, added, is_new=is_new))
            return
        click.echo(f"schema: {'created' if is_new else 'up to date'}")
        for (ring, _), key in added.items():
            _report(ring, key)

    return init


Added = dict[tuple[Ring, Algorithm], StoredKey | None]


def _initialised(
    administration: Administration, added: Added, *, is_new: bool
) -> Initialised:
    kids = {place: key.kid for place, key in added.items() if key}
    platform, *beside = administration.keys.algorithms.get("platform", ("RS256",))
    return Initialised(
        schema_created=is_new,
        platform_key=kids.get(("platform", platform)),
        client_key=kids.get(("client", CLIENT_ALGORITHM)),
        id_token_key=next((kids.get(("platform", alg)) for alg in beside), None),
    )


def _add_keys(administration: Administration, operator: Operator) -> Added:
    paths: dict[Ring, Path | None] = {
        "platform": administration.signing_key_path,
        "client": administration.client_jwk_path,
    }
    prepare = administration.keys.prepare.prepare
    return {
        (ring, alg): prepare(
            ring, alg, operator=operator, imported=_read(paths[ring] if own else None)
        )
        for ring, algorithms in administration.keys.algorithms.items()
        for alg, own in zip(algorithms, (True, False), strict=False)
    }


def _read(path: Path | None) -> bytes | None:
    return None if path is None else read_private_key(path, refuse=False)


def _report(ring: Ring, added: StoredKey | None) -> None:
    if added is None:
        click.echo(f"{ring} key: there already")
    else:
        click.echo(f"{ring} key: added {added.kid} ({added.alg}, {added.status})")
