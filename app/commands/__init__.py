"""The operator's commands: `flask --app wsgi init | keys | sweep | config`.

One file for each noun. They run the same use cases and stores as the service.
"""

from __future__ import annotations

from flask import Flask

from . import config, init, keys, sweep
from .administration import Administration

__all__ = ["Administration", "init_app"]


def init_app(app: Flask, administration: Administration) -> None:
    """Register the commands with `flask --app wsgi`."""
    app.cli.add_command(init.command(administration))
    app.cli.add_command(sweep.command(administration))
    app.cli.add_command(keys.group(administration))
    app.cli.add_command(config.group(administration))
