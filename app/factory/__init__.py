"""The composition root: settings -> stores -> OAuth client -> flows -> views.

The only place that reads settings and the clock, and the only one that knows which
store stands behind which port. Nothing is contacted while an application is made, so it
starts when the database or the network is down and says so at /readyz.
"""

from __future__ import annotations

from flask import Flask

from app import commands
from app.config import Settings
from app.web import context

from .admin import administration_of
from .container import open_parts
from .outside import Outside
from .web import open_flask, site_of

__all__ = ["Outside", "create_app"]


def create_app(
    settings: Settings | None = None, *, outside: Outside | None = None
) -> Flask:
    """Return the WSGI application; production passes nothing.

    Raises:
        SettingsInvalid: a setting is missing or wrong; says which and why.
    """
    parts = open_parts(settings, outside)
    clock = parts.outside.clock
    app = open_flask(parts.settings)
    app.extensions[context.EXTENSION] = context.Context(
        flows=parts.flows,
        site=site_of(parts.settings, clock),
        documents=context.Documents(
            client_metadata=parts.client_document,
            jwks=lambda: parts.rings.platform().jwks(),
            checks=parts.checks,
        ),
    )
    commands.init_app(
        app,
        administration_of(
            parts.settings, parts.stores, client=parts.client, clock=clock
        ),
    )
    return app
