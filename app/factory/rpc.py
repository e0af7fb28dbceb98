"""The gRPC listener, on the same settings, stores and use cases as the web."""

from __future__ import annotations

import logging
import os
import sys

from app.config import VERSION, Settings, SettingsInvalid
from app.flows.errors import SchemaMismatch
from app.rpc.listener import Listener
from app.rpc.tls import Certificate, ListenerRefused

from .container import Outside, open_parts
from .start import report_missing_keys, require_schema
from .use_cases import open_use_cases

log = logging.getLogger(__name__)

UMASK = 0o007
"""As gunicorn.conf.py has it: a unix socket is for our own group."""


def open_rpc(settings: Settings, *, outside: Outside | None = None) -> Listener:
    """Return the listener; production passes no `outside`.

    Raises:
        SettingsInvalid: a setting is missing or wrong; says which and why.
    """
    parts = open_parts(settings, outside)
    use_cases = open_use_cases(parts)
    return Listener(
        bind=str(parts.settings.rpc_bind),
        certificate=_certificate(parts.settings),
        starting=use_cases.start_native,
        awaiting=use_cases.await_native,
        refreshing=use_cases.refresh_app,
        checks=parts.readiness.checks,
        streams_per_address=parts.settings.native_streams_per_address,
        platform=parts.settings.platform_name,
        observe=parts.observe,
    )


def serve_rpc() -> None:
    """Serve until SIGTERM; exit with the lines of the error when it cannot start."""
    os.umask(UMASK)
    try:
        settings = Settings.from_environment()
        listener = open_rpc(settings)
        require_schema(settings)
        report_missing_keys(settings)
        log.info("Latchkey %s serves gRPC", VERSION)
        listener.run()
    except (SettingsInvalid, SchemaMismatch, ListenerRefused) as error:
        sys.exit(str(error))


def version() -> str:
    """Return the version of the service, for `python -m app.rpc --version`."""
    return VERSION


def _certificate(settings: Settings) -> Certificate | None:
    if settings.rpc_tls_certificate is None or settings.rpc_tls_key is None:
        return None
    return Certificate(
        certificate=settings.rpc_tls_certificate, key=settings.rpc_tls_key
    )
