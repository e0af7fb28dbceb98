"""What every front end stands on: settings -> stores -> OAuth client -> flows.

Nothing is contacted while the parts are made.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from app import logs
from app.atproto.client import OAuthClient
from app.atproto.http.url_policy import NetworkPolicy
from app.config import Settings
from app.flows.signing_keys import KeyRings
from app.stores.rate_limits import LimitsRateLimit
from app.tokens.errors import SigningKeyMissing
from app.web.context import Flows

from .oauth import client_metadata, open_client
from .outside import Outside, open_outside
from .storage import Stores, open_stores
from .use_cases import open_flows

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The service without its front ends."""

    settings: Settings
    outside: Outside
    stores: Stores
    rings: KeyRings
    client: OAuthClient
    flows: Flows
    client_document: Callable[[str], Mapping[str, Any]]
    """From the path of a client metadata document to the document."""
    checks: Mapping[str, Callable[[], None]]
    """What must be well for the service to serve; a check raises."""


def open_parts(settings: Settings | None, outside: Outside | None) -> Parts:
    """Return the parts; production passes nothing.

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
    return Parts(
        settings=settings,
        outside=outside,
        stores=stores,
        rings=rings,
        client=client,
        flows=flows,
        client_document=lambda path: metadata(path).document(),
        checks={
            "database": stores.database.ping,
            "keys": partial(_require_keys, settings, rings),
        },
    )


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
            "call": settings.rate_limit_xrpc_per_session,
            "token": settings.rate_limit_failed_tokens_per_address,
        },
        outside.clock,
    )


def _require_keys(settings: Settings, rings: KeyRings) -> None:
    """Raise unless there is a key for all that we sign."""
    if rings.platform().signing is None:
        raise SigningKeyMissing("platform")
    if not settings.is_loopback_development:
        rings.client()
