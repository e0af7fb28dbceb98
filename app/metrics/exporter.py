"""Exporter: the process that serves metrics to Prometheus on METRICS_BIND.

It reads what the other processes of the host counted, and asks the database for rows,
sessions and keys. gunicorn starts it and it ends with gunicorn; it is no part of the
service, so a slow scrape costs no request.
"""

from __future__ import annotations

import errno
import logging
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from socketserver import TCPServer
from typing import Any, Final, Protocol
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.flows.errors import StorageFailed

from .directory import merge, registry_of
from .instruments import (
    BUILD,
    DATABASE_UP,
    KEY_AGE,
    LAST_RUN,
    ROWS,
    SESSIONS,
    Instrument,
)

log = logging.getLogger(__name__)

READ_EVERY: Final = 60.0
"""Seconds between two questions to the database."""

REST: Final = 100.0
"""The pause is this many times what the last questions took, so that they are never
more than a hundredth of the database's time."""

SCRAPE_TIMEOUT: Final = 5.0
"""Seconds in which a scraper has to send its request and take the answer."""

LOOK: Final = 1.0
"""Seconds between two looks whether the process that started us still lives."""


class Statistics(Protocol):
    """What the database knows."""

    def table_rows(self) -> Mapping[str, int]:
        """Return how many rows each table has."""

    def live_sessions(self) -> Mapping[str, int]:
        """Return the live sessions by holder."""

    def key_ages(self) -> Mapping[tuple[str, str], float]:
        """Return the age of the oldest key of each ring and status."""

    def last_runs(self) -> Mapping[str, float]:
        """Return when a run of each name last ended, in epoch seconds."""


class DatabaseCollector(Collector):
    """Gauges that are read from the database, at most once in READ_EVERY."""

    def __init__(
        self,
        statistics: Statistics,
        *,
        version: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._statistics = statistics
        self._version = version
        self._monotonic = monotonic
        self._due = 0.0
        self._read: list[GaugeMetricFamily] = []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges; those of the database are missing while it is down."""
        if self._monotonic() >= self._due:
            began = self._monotonic()
            self._read = list(self._ask())
            took = self._monotonic() - began
            self._due = self._monotonic() + max(READ_EVERY, REST * took)
        yield from self._read
        yield _gauge(BUILD, {(self._version,): 1})

    def _ask(self) -> Iterator[GaugeMetricFamily]:
        ask = self._statistics
        try:
            sessions, ages = ask.live_sessions(), ask.key_ages()
            rows, runs = ask.table_rows(), ask.last_runs()
        except StorageFailed as error:
            log.warning("the database does not answer the exporter: %s", error)
            yield _gauge(DATABASE_UP, {(): 0})
            return
        yield _gauge(DATABASE_UP, {(): 1})
        yield _gauge(SESSIONS, {(name,): count for name, count in sessions.items()})
        yield _gauge(ROWS, {(name,): count for name, count in rows.items()})
        yield _gauge(LAST_RUN, {(name,): ended for name, ended in runs.items()})
        yield _gauge(KEY_AGE, {(*key,): age for key, age in ages.items()})


def _gauge(
    one: Instrument, found: Mapping[tuple[str, ...], float]
) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(one.name, one.meaning, labels=one.labels)
    for labels, value in found.items():
        gauge.add_metric(labels, value)
    return gauge


class Exporter:
    """Serves /metrics on one address."""

    def __init__(
        self,
        *,
        bind: tuple[str, int] | Path,
        directory: Path,
        collector: Collector,
        patience: float = SCRAPE_TIMEOUT,
        look: float = LOOK,
    ) -> None:
        self._patience = patience
        self._look = look
        self._bind = bind
        self._directory = directory
        self._registry = registry_of(directory)
        self._registry.register(collector)

    def serve(self, lives: Callable[[], bool]) -> None:
        """Serve while `lives` says so; wait for an address that is still taken."""
        server = self._listen(lives)
        if server is None:
            return
        server.set_app(_only_metrics(self._registry, self._directory))
        server.timeout, server.patience = self._look, self._patience
        with server:
            while lives():
                server.handle_request()

    def _listen(self, lives: Callable[[], bool]) -> _Server | None:
        is_told = False
        while lives():
            try:
                return _open(self._bind)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                if not is_told:
                    log.warning("METRICS_BIND is taken; waiting for it")
                is_told = True
                time.sleep(self._look)
        return None


class _Handler(WSGIRequestHandler):
    """A request of a scraper; it has no log line."""

    def address_string(self) -> str:
        """Return nothing: no name is looked up."""
        return ""

    def log_message(self, *_: Any) -> None:
        """Write nothing: Prometheus asks every few seconds."""


class _Server(WSGIServer):
    """A WSGI server that waits for no scraper, and looks no host name up."""

    patience = SCRAPE_TIMEOUT

    def get_request(self) -> tuple[Any, Any]:
        """Accept a connection; one that is silent for too long is closed."""
        connection, peer = self.socket.accept()
        connection.settimeout(self.patience)
        return connection, peer or ("unix", 0)

    def server_bind(self) -> None:
        """Bind without the look-up of http.server."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", 0
        self.setup_environ()

    def handle_error(self, *_: Any) -> None:
        """Log a scraper that went away, without a traceback on stderr."""
        log.debug("a scrape broke off")


class _Server6(_Server):
    address_family = socket.AF_INET6


class _UnixServer(_Server):
    address_family = socket.AF_UNIX


def _open(bind: tuple[str, int] | Path) -> _Server:
    if isinstance(bind, Path):
        bind.unlink(missing_ok=True)  # of an exporter that was killed
        return _UnixServer(str(bind), _Handler)  # type: ignore[arg-type] # a path
    server = _Server6 if ":" in bind[0] else _Server
    return server(bind, _Handler)


def _only_metrics(registry: CollectorRegistry, directory: Path) -> Any:
    """Return the WSGI application: /metrics and nothing else."""
    metrics = make_wsgi_app(registry)

    def app(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] != "/metrics":
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"the metrics are at /metrics\n"]
        merge(directory)
        return metrics(environ, start_response)

    return app
