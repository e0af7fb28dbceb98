"""The exporter: what it reads from the database, and who may ask it what."""

from __future__ import annotations

import socket
import threading
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from app.flows.errors import StorageUnavailable
from app.metrics.exporter import DatabaseCollector, Exporter
from app.stores.statistics import SqlStatistics
from tests.metrics.scraped import Scrape
from tests.service import Service, database_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Statistics:
    """A database that can be down, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_down = False

    def live_sessions(self) -> dict[str, int]:
        self.asked += 1
        if self.is_down:
            raise StorageUnavailable("down")
        return {"browser": 2, "app": 1}

    def table_rows(self) -> dict[str, int]:
        return {"sessions": 3}

    def last_runs(self) -> dict[str, float]:
        return {"sweep": 1_700_000_000.0}

    def key_ages(self) -> dict[tuple[str, str], float]:
        return {("client", "active"): 86_400.0}


class Watch:
    """A monotonic clock that is moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def statistics() -> Statistics:
    return Statistics()


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def scrape(statistics: Statistics, watch: Watch) -> Callable[[], Scrape]:
    registry = CollectorRegistry()
    collector = DatabaseCollector(statistics, version="0.2.0", monotonic=watch)
    registry.register(collector)
    statistics.asked, watch.now = 0, watch.now + 3600
    return lambda: Scrape.of(registry)


def test_collector_reads_sessions_rows_and_key_ages(scrape):
    seen = scrape()

    assert seen.value("latchkey_sessions", holder="browser") == 2
    assert seen.value("latchkey_table_rows", table="sessions") == 3
    age = {"ring": "client", "status": "active"}
    assert seen.value("latchkey_key_age_seconds", **age) == 86_400
    last = seen.value("latchkey_last_run_timestamp_seconds", run="sweep")
    assert last == 1_700_000_000
    assert seen.value("latchkey_database_up") == 1
    assert seen.value("latchkey_build_info", version="0.2.0") == 1


def test_collector_asks_the_database_once_a_minute(scrape, statistics, watch):
    scrape()
    scrape()
    watch.now += 59
    scrape()
    within = statistics.asked
    watch.now += 2
    scrape()

    assert (within, statistics.asked) == (1, 2)


def test_collector_rests_longer_after_a_slow_answer(scrape, statistics, watch):
    def slowly() -> dict[str, int]:
        watch.now += 3
        return {"sessions": 3}

    statistics.table_rows = slowly
    scrape()
    watch.now += 299
    scrape()
    within = statistics.asked
    watch.now += 2
    scrape()

    assert (within, statistics.asked) == (1, 2)


def test_collector_says_that_the_database_is_down(scrape, statistics):
    statistics.is_down = True

    seen = scrape()

    assert "latchkey_database_up 0.0" in seen.text
    assert seen.names() == {"latchkey_database_up", "latchkey_build_info"}


def test_statistics_of_a_real_database(service: Service):
    service.browser().signs_in("alice.skyhost.social", username="alice")
    clock = service.world.clock
    clock.advance(100)

    statistics = SqlStatistics(database_of(service.app), clock)

    assert statistics.live_sessions() == {"browser": 1, "app": 0}
    assert statistics.table_rows()["users"] == 1
    assert statistics.last_runs() == {}
    assert set(statistics.key_ages()) >= {("platform", "active"), ("client", "active")}


# --- who may ask what -----------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Serving:
    """An exporter on a thread of its own."""

    def __init__(self, bind: tuple[str, int] | Path, directory: Path) -> None:
        self.lives = True
        self.asked = threading.Event()
        exporter = Exporter(
            bind=bind,
            directory=directory,
            collector=DatabaseCollector(Statistics(), version="0.2.0"),
            patience=0.2,
            look=0.05,
        )
        self.thread = threading.Thread(target=exporter.serve, args=(self._lives,))
        self.thread.start()

    def _lives(self) -> bool:
        self.asked.set()
        return self.lives

    def ends(self) -> None:
        self.lives = False
        self.thread.join(30)
        assert not self.thread.is_alive()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Serving]]:
    started: list[Serving] = []

    def start(bind: tuple[str, int] | Path) -> Serving:
        started.append(Serving(bind, tmp_path))
        return started[-1]

    yield start
    for one in started:
        one.ends()


def fetched(port: int, path: str) -> tuple[int, str]:
    """Ask, and again while the exporter does not listen yet."""
    for _ in range(1000):
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except ConnectionRefusedError:
            threading.Event().wait(0.02)
        finally:
            connection.close()
    raise AssertionError("the exporter does not listen")


def test_exporter_serves_metrics_and_nothing_else(serve):
    port = free_port()
    serve(("127.0.0.1", port))

    assert "latchkey_build_info" in fetched(port, "/metrics")[1]
    assert fetched(port, "/")[0] == 404
    assert fetched(port, "/metrics/../etc")[0] == 404


def test_exporter_serves_after_a_scraper_that_sends_nothing(serve):
    port = free_port()
    serve(("127.0.0.1", port))
    fetched(port, "/metrics")

    with socket.create_connection(("127.0.0.1", port)):
        assert fetched(port, "/metrics")[0] == 200


def test_exporter_serves_on_a_unix_socket(serve, tmp_path: Path):
    path = tmp_path / "metrics.sock"
    path.touch()  # of an exporter that was killed
    started = serve(path)

    for _ in range(1000):
        with socket.socket(socket.AF_UNIX) as scraper:
            try:
                scraper.connect(str(path))
            except (ConnectionRefusedError, FileNotFoundError):
                started.asked.wait(0.02)
                continue
            scraper.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: scraper.recv(4096), b""))
            break

    assert answer.startswith(b"HTTP/1.0 200")
    assert b"latchkey_build_info" in answer


def test_exporter_waits_for_an_address_that_is_taken(serve):
    port = free_port()
    first = serve(("127.0.0.1", port))
    fetched(port, "/metrics")
    second = serve(("127.0.0.1", port))
    second.asked.wait(30)
    first.ends()

    assert fetched(port, "/metrics")[0] == 200
