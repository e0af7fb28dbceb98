"""The composition root: settings -> stores -> OAuth client -> flows -> views.

The only place that reads settings and the clock, and the only one that knows which
store stands behind which port. Nothing is contacted while an application is made, so it
starts when the database or the network is down and says so at /readyz.
"""

from __future__ import annotations

import logging
import os
from functools import partial

from flask import Flask

from app import commands, logs
from app.atproto.policy import NetworkPolicy
from app.blueprints import context
from app.config import Settings
from app.flows.keys import KeyRings
from app.stores.rate_limits import LimitsRateLimit
from app.tokens.errors import SigningKeyMissing

from .administration import administration_of
from .oauth import client_metadata, open_client
from .outside import Outside, open_outside
from .storage import Stores, open_stores
from .use_cases import open_flows
from .web import open_flask, site_of

__all__ = ["Outside", "create_app"]

log = logging.getLogger(__name__)


def create_app(
    settings: Settings | None = None, *, outside: Outside | None = None
) -> Flask:
    """Return the application; production passes nothing.

    Raises:
        SettingsInvalid: a setting is missing or wrong; says which and why.
    """
    settings = settings or Settings.from_environment(os.environ)
    _open_log(settings)
    policy = NetworkPolicy.lab() if settings.lab_network else NetworkPolicy()
    outside = outside or open_outside(settings, policy)
    stores = open_stores(settings, outside.clock)
    rings = _open_rings(settings, stores, outside)
    limits = _open_limits(settings, outside)
    metadata = client_metadata(settings, rings)
    client = open_client(
        outside,
        stores,
        settings=settings,
        policy=policy,
        metadata=partial(metadata, settings.client_metadata_path),
        keys=None if settings.is_loopback_development else rings.client,
        before_host=partial(limits.hit, "host"),
    )
    flows = open_flows(
        settings,
        stores,
        client,
        rings=rings,
        limits=limits,
        policy=policy,
        clock=outside.clock,
    )
    documents = context.Documents(
        client_metadata=lambda path: metadata(path).document(),
        jwks=lambda: rings.platform().jwks(),
        checks={
            "database": stores.database.ping,
            "keys": partial(_require_keys, settings, rings),
        },
    )
    app = open_flask(settings)
    app.extensions[context.EXTENSION] = context.Context(
        flows=flows, site=site_of(settings, outside.clock), documents=documents
    )
    commands.init_app(
        app, administration_of(settings, stores, client=client, clock=outside.clock)
    )
    return app


def _open_log(settings: Settings) -> None:
    logs.configure(level=settings.log_level, style=settings.log_format)
    for line in settings.warnings:
        log.warning("%s", line)


def _open_rings(settings: Settings, stores: Stores, outside: Outside) -> KeyRings:
    return KeyRings(
        keys=stores.keys,
        clock=outside.clock,
        algorithm=settings.token_algorithm,
        token_lifetime=settings.token_lifetime,
        secret=settings.jwt_secret,
    )


def _open_limits(settings: Settings, outside: Outside) -> LimitsRateLimit:
    return LimitsRateLimit(
        settings.rate_limit_storage,
        {
            "address": settings.rate_limit_login_per_address,
            "host": settings.rate_limit_login_per_host,
        },
        outside.clock,
    )


def _require_keys(settings: Settings, rings: KeyRings) -> None:
    """Raise unless there is a key for all that we sign."""
    if rings.platform().signing is None:
        raise SigningKeyMissing("platform")
    if not settings.is_loopback_development:
        rings.client()
