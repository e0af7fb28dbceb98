"""The gRPC listener: the same settings, stores and flows as the web, another door."""

from __future__ import annotations

import os
import sys

from app.config import Settings, SettingsInvalid
from app.rpc.errors import ListenerRefused
from app.rpc.listener import Listener
from app.rpc.tls import Certificate

from .container import open_parts
from .outside import Outside

UMASK = 0o007
"""As gunicorn.conf.py has it: a unix socket is for our own group."""


def open_rpc(
    settings: Settings | None = None, *, outside: Outside | None = None
) -> Listener:
    """Return the listener; production passes nothing.

    Raises:
        SettingsInvalid: a setting is missing or wrong; says which and why.
    """
    parts = open_parts(settings, outside)
    return Listener(
        bind=str(parts.settings.rpc_bind),
        certificate=_certificate(parts.settings),
        starting=parts.flows.start_native,
        awaiting=parts.flows.await_native,
        checks=parts.checks,
        streams_per_address=parts.settings.native_streams_per_address,
        platform=parts.settings.platform_name,
    )


def serve_rpc() -> None:
    """Serve until SIGTERM; what keeps us from it ends the process with its lines."""
    os.umask(UMASK)
    try:
        open_rpc().run()
    except (SettingsInvalid, ListenerRefused) as error:
        sys.exit(str(error))


def _certificate(settings: Settings) -> Certificate | None:
    if settings.rpc_tls_certificate is None or settings.rpc_tls_key is None:
        return None
    return Certificate(
        certificate=settings.rpc_tls_certificate, key=settings.rpc_tls_key
    )
