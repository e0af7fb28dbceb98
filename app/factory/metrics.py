"""Metrics: the observer of a process that counts, and the exporter that serves."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.atproto.events import CallbackReceived
from app.config import VERSION, Problem, Settings, SettingsInvalid
from app.config.addresses import Address
from app.stores.sql.database import open_database
from app.stores.statistics import SqlStatistics
from app.telemetry.context import bind, login_id_of_hash
from app.telemetry.events import Observer, ignore

log = logging.getLogger(__name__)

UMASK = 0o007
"""As gunicorn.conf.py has it: a unix socket is for our own group."""


def open_observer(settings: Settings) -> Observer:
    """Return what counts events in this process: `ignore` without METRICS_BIND.

    Raises:
        SettingsInvalid: the directory of the counts cannot be used.
    """
    if settings.metrics_bind is None:
        return ignore
    from prometheus_client import CollectorRegistry  # noqa: PLC0415 - only if wanted

    from app.metrics.directory import count_in, directory_of  # noqa: PLC0415
    from app.metrics.recorder import Recorder  # noqa: PLC0415

    try:
        count_in(directory_of(settings.database_url))
    except OSError as error:
        raise SettingsInvalid([Problem("metrics_bind", str(error))]) from error
    plc = urlsplit(settings.plc_url).hostname or ""
    return Recorder(CollectorRegistry(), plc=plc).observe


def of_client(observe: Observer) -> Observer:
    """Return the observer of the OAuth client, which binds the login of a callback.

    Also of one that comes in another browser than its own.
    """

    def observed(event: Any) -> None:
        if isinstance(event, CallbackReceived) and event.browser_secret_hash:
            bind(login_id=login_id_of_hash(event.browser_secret_hash))
        observe(event)

    return observed


def serve_metrics() -> None:
    """Serve metrics while the process that started us lives, or until SIGTERM."""
    from app.metrics.directory import count_in, directory_of  # noqa: PLC0415
    from app.metrics.exporter import DatabaseCollector, Exporter  # noqa: PLC0415

    os.umask(UMASK)
    try:
        settings = Settings.from_environment()
    except SettingsInvalid as error:
        sys.exit(str(error))
    if settings.metrics_bind is None:
        sys.exit("LATCHKEY_METRICS_BIND is off")
    directory = directory_of(settings.database_url)
    count_in(directory)
    statistics = SqlStatistics(open_database(settings.database_url), time.time)
    exporter = Exporter(
        bind=_address(settings.metrics_bind),
        directory=directory,
        collector=DatabaseCollector(statistics, version=VERSION),
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit())
    parent = os.getppid()
    exporter.serve(lambda: os.getppid() == parent)


def _address(bind_to: Address | str) -> tuple[str, int] | Path:
    if isinstance(bind_to, str):
        return Path(bind_to.removeprefix("unix:"))
    return bind_to.host, bind_to.port
