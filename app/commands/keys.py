"""`flask --app wsgi keys`: the signing keys of both rings, public facts only."""

from __future__ import annotations

from functools import partial

import click

from app.flows.ports import Ring

from .administration import Administration, in_one_line

RINGS: tuple[Ring, ...] = ("platform", "client")


def group(administration: Administration) -> click.Group:
    """Return the group of commands."""
    keys = click.Group("keys", help="The two key rings; only public facts are shown.")

    @keys.command("list")
    def list_keys() -> None:
        """List the signing keys of both rings."""
        for ring in RINGS:
            for key in in_one_line(partial(administration.keys.list, ring)):
                click.echo(f"{ring:<9}{key.status:<9}{key.alg:<6}{key.kid}")

    return keys
