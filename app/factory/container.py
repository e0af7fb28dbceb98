"""The parts of every front end: settings -> stores -> keys -> OAuth client.

`open_parts` contacts nothing: a process starts when the database or the network is
down, and reports it at /readyz or as NOT_SERVING.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from app import logs
from app.atproto.client import OAuthClient
from app.atproto.http.client import SafeHTTP
from app.atproto.http.types import HTTP
from app.atproto.http.url_policy import NetworkPolicy
from app.atproto.identity.dns import DnsTxtLookup, TxtLookup
from app.atproto.open_client import open_client
from app.atproto.syntax.grammar import host_of
from app.config import Settings, secret_files
from app.flows.keys.rings import KeyRings
from app.flows.limits.host_limits import HostLimit
from app.flows.readiness import Readiness
from app.stores.rates.database_counters import DatabaseCounters
from app.stores.rates.host_counters import HostCounters, counters_path
from app.stores.rates.rate_limits import Counters, LimitsCounters, RateLimits
from app.stores.sql.database import Database
from app.stores.sql.health import DatabaseHealth
from app.telemetry.events import ConnectionsUsed, Observer, ignore
from app.tokens.errors import SigningKeyMissing

from .client_metadata import ClientMetadataOf
from .metrics import of_client, open_observer
from .stores import Stores, open_stores

log = logging.getLogger(__name__)

ONE_A_MINUTE = "1/minute"
"""Rows of the audit trail for refused calls, per session and reason."""

WHILE_TYPING = "120/minute"
"""Questions of one network while its people type: names, accounts, look-ups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Other people's servers, DNS and the clock: what tests replace."""

    http: HTTP
    txt: TxtLookup
    clock: Callable[[], float]
    observe: Observer | None = None
    """What counts events in tests; None follows METRICS_BIND."""
    own_http: HTTP | None = None
    """A door to our own hosts, for `doctor`; None: the factory opens one."""
    start: Callable[[Callable[[], None]], object] | None = None
    """Runs work beside a request; None: in a thread of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What `use_cases` and the front ends are built from."""

    settings: Settings
    policy: NetworkPolicy
    outside: Outside
    stores: Stores
    rings: KeyRings
    limits: RateLimits
    client: OAuthClient
    client_document: Callable[[str], Mapping[str, Any]]
    """From the path of a client metadata document to the document."""
    is_known: Callable[[str], bool]
    """Whether SIGNUP_HOSTS names a host, or people have sessions there."""
    readiness: Readiness
    observe: Observer
    """What counts events; `ignore` without METRICS_BIND."""
    secret_files: Sequence[Path]
    """The files that secrets of the settings were read from."""


def open_parts(settings: Settings | None, outside: Outside | None) -> Parts:
    """Return the parts; production passes None twice.

    Raises:
        SettingsInvalid: a setting is missing or wrong; says which and why.
    """
    settings = settings or Settings.from_environment(os.environ)
    _configure_log(settings)
    policy = network_policy(settings)
    outside = outside or _open_outside(settings, policy)
    observe = outside.observe or open_observer(settings)
    stores = open_stores(settings, outside.clock)
    if observe is not ignore:
        stores.database.watch_pool(lambda used: observe(ConnectionsUsed(used)))
    rings = _open_rings(settings, stores, outside)
    limits = _open_limits(settings, stores.database, outside.clock)
    metadata = ClientMetadataOf(settings, rings)
    return Parts(
        settings=settings,
        policy=policy,
        outside=outside,
        stores=stores,
        rings=rings,
        limits=limits,
        client=open_client(
            metadata=partial(metadata, settings.client_metadata_path),
            keys=None if settings.is_loopback_development else rings.client,
            states=stores.states,
            sessions=stores.grants,
            http=outside.http,
            clock=outside.clock,
            txt=outside.txt,
            cache=stores.cache,
            policy=policy,
            own_origin=settings.public_url,
            plc_url=settings.plc_url,
            observe=of_client(observe),
            before_host=HostLimit(
                limits=limits, is_known=partial(_is_known, settings, stores)
            ),
        ),
        is_known=partial(_is_known, settings, stores),
        secret_files=[Path(path) for path in secret_files(os.environ)],
        client_document=lambda path: metadata(path).document(),
        observe=observe,
        readiness=_open_readiness(
            settings,
            rings,
            DatabaseHealth(database=stores.database, clock=outside.clock),
        ),
    )


def _open_readiness(
    settings: Settings, rings: KeyRings, health: DatabaseHealth
) -> Readiness:
    return Readiness(
        checks={
            "database": health.check_write,
            "keys": partial(_require_keys, settings, rings),
            "space": health.check_space,
            "schema": health.database.require_schema,
        },
        needs={"schema": "database"},
        clock=health.clock,
    )


def network_policy(settings: Settings) -> NetworkPolicy:
    """Return which hosts and addresses outgoing requests may reach."""
    policy = NetworkPolicy.lab() if settings.lab_network else NetworkPolicy()
    return replace(policy, denied=settings.egress_deny)


def _configure_log(settings: Settings) -> None:
    logs.configure(
        level=settings.log_level,
        style=settings.log_format,
        access=settings.log_access,
    )
    for line in settings.warnings:
        log.warning("%s", line)


def _open_outside(settings: Settings, policy: NetworkPolicy) -> Outside:
    """Return the real network, behind the hardened HTTP client, and the real clock."""
    return Outside(
        http=SafeHTTP(
            policy=policy,
            user_agent=settings.user_agent,
            ca_bundle=str(settings.ca_bundle) if settings.ca_bundle else None,
        ),
        txt=DnsTxtLookup(settings.dns_nameservers or None),
        clock=time.time,
    )


def _open_rings(settings: Settings, stores: Stores, outside: Outside) -> KeyRings:
    return KeyRings(
        keys=stores.keys,
        clock=outside.clock,
        algorithm=settings.token_algorithm,
        token_lifetime=max(settings.token_lifetime, settings.id_token_lifetime),
        secret=settings.jwt_secret,
    )


def _open_limits(
    settings: Settings, database: Database, clock: Callable[[], float]
) -> RateLimits:
    return RateLimits(
        _open_counters(settings, database, clock),
        {
            "address": settings.rate_limit_login_per_address,
            "host": settings.rate_limit_login_per_host,
            "call": settings.rate_limit_xrpc_per_session,
            "token": settings.rate_limit_failed_tokens_per_address,
            "refusal": ONE_A_MINUTE,
            "typing": WHILE_TYPING,
            "authorize": settings.rate_limit_authorize_per_address,
            "client": settings.rate_limit_client_failures_per_address,
        },
        clock,
    )


def _open_counters(
    settings: Settings, database: Database, clock: Callable[[], float]
) -> Counters:
    if not settings.rate_limit_storage.startswith("memory://"):
        return LimitsCounters(settings.rate_limit_storage, clock)
    if settings.database_url.startswith("postgresql"):
        return DatabaseCounters(database, clock)
    return HostCounters(counters_path(settings.database_url), clock)


def _is_known(settings: Settings, stores: Stores, host: str) -> bool:
    """Tell whether SIGNUP_HOSTS names a host, or people have sessions there."""
    is_offered = host in map(host_of, settings.signup_hosts)
    return is_offered or stores.known_hosts.is_known(host)


def _require_keys(settings: Settings, rings: KeyRings) -> None:
    """Raise SigningKeyMissing unless there is a key for everything that we sign."""
    if rings.platform().signing is None:
        raise SigningKeyMissing("platform")
    if not settings.is_loopback_development:
        rings.client()
