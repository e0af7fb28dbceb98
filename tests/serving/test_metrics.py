"""Metrics of a running gunicorn: counted by its workers, served by a process beside."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.metrics.instruments import COUNTED, READ
from tests.metrics.scraped import Scrape
from tests.service import Prepared, copied
from tests.serving.server import Server, serving

pytestmark = pytest.mark.process

QUIET = {
    "latchkey_app_refreshes_total",
    "latchkey_refreshes_total",
    "latchkey_xrpc_calls_total",
    "latchkey_rate_limit_refusals_total",
    "latchkey_failures_total",
    "latchkey_sweeps_total",
    "latchkey_swept_rows_total",
    "latchkey_last_run_timestamp_seconds",
}
"""What a sign-in without trouble does not count."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@dataclass(frozen=True)
class Measured:
    """A server and the port of its metrics."""

    server: Server
    port: int
    directory: Path

    def scrape(self) -> Scrape:
        url = f"http://127.0.0.1:{self.port}/metrics"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return Scrape(answer.read().decode())

    def scrape_once_it_serves(self) -> Scrape:
        for _ in range(300):
            try:
                return self.scrape()
            except OSError:
                time.sleep(0.1)
        raise AssertionError(self.server.log.read_text())


@pytest.fixture
def measured(tmp_path: Path, prepared: Prepared) -> Iterator[Measured]:
    database = copied(prepared, tmp_path)
    port, counts = free_port(), tmp_path / "counts"
    settings = {
        "LATCHKEY_DATABASE_URL": f"sqlite:///{database}",
        "LATCHKEY_METRICS_BIND": f"127.0.0.1:{port}",
        "PROMETHEUS_MULTIPROC_DIR": str(counts),
        "WEB_CONCURRENCY": "2",
    }
    with serving("tests.serving.signing_in:app", tmp_path, **settings) as server:
        yield Measured(server, port, counts)


def is_listening(port: int) -> bool:
    with socket.socket() as scraper:
        return scraper.connect_ex(("127.0.0.1", port)) == 0


def test_all_metrics_are_there_after_a_login_in_several_processes(measured: Measured):
    workers = [measured.server.get("/sign-in") for _ in range(6)]

    seen = measured.scrape_once_it_serves()
    named = {one.name for one in (*COUNTED, *READ)}
    assert named - seen.names() <= QUIET
    sign_ins = {"step": "finish", "outcome": "ok"}
    assert seen.value("latchkey_sign_ins_total", **sign_ins) == 12
    assert seen.value("latchkey_native_logins_total", outcome="delivered") == 6
    assert seen.value("latchkey_verifications_total") == 6
    assert seen.value("latchkey_places_in_use") == 0
    assert seen.value("latchkey_table_rows", table="users") == 1
    assert set(map(int, workers)) <= pids_of_counters(measured.directory)


def test_metrics_are_not_on_the_public_address(measured: Measured):
    answer = measured.server.get("/metrics", {"Accept": "application/json"})

    assert json.loads(answer)["error"] == "not_found"


def test_counts_of_a_killed_worker_are_kept(measured: Measured):
    worker = int(measured.server.get("/sign-in"))
    measured.scrape_once_it_serves()
    os.kill(worker, signal.SIGKILL)
    for _ in range(300):
        if int(measured.server.get("/sign-in")) != worker:
            break
        time.sleep(0.1)

    seen = measured.scrape()
    assert seen.value("latchkey_native_logins_total", outcome="delivered") >= 2
    assert worker not in pids_of_counters(measured.directory)


def pids_of_counters(directory: Path) -> set[int]:
    names = [path.stem.rpartition("_")[2] for path in directory.glob("counter_*.db")]
    return {int(name) for name in names if name.isdigit()}


def test_exporter_ends_with_gunicorn(tmp_path: Path):
    port = free_port()
    settings = {
        "LATCHKEY_DATABASE_URL": f"sqlite:///{tmp_path}/latchkey.db",
        "LATCHKEY_METRICS_BIND": f"127.0.0.1:{port}",
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "counts"),
    }
    with serving("tests.serving.echo:app", tmp_path, **settings) as server:
        Measured(server, port, tmp_path).scrape_once_it_serves()
    for _ in range(100):
        if not is_listening(port):
            break
        time.sleep(0.1)

    assert not is_listening(port)
