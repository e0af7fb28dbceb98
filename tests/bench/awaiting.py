"""What it costs that apps wait, beside streams that each poll the database.

gunicorn as it is shipped with one worker, SQLite, one process that holds the apps'
ends and decides their logins. The poll is the same application whose streams look for
themselves every 250 ms.
"""

from __future__ import annotations

import asyncio
import math
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.serving.apps import People
from tests.serving.server import Server, serving

OPENING = 64
"""Connections that are made at the same time."""


@dataclass(frozen=True)
class Size:
    """How many streams are opened, and how often each thing is measured."""

    warm: int = 20
    few: int = 1_000
    many: int = 5_000
    at_once: int = 940
    wakes: int = 200
    rounds: int = 5
    idle_seconds: float = 5.0
    requests: int = 300


FULL = Size()
ONE_STEP = Size(
    warm=1, few=3, many=4, at_once=1, wakes=2, rounds=1, idle_seconds=0.02, requests=1
)


@dataclass
class Apps:
    """Apps that await their logins on one server."""

    server: Server
    people: People
    streams: dict[str, asyncio.StreamReader] = field(default_factory=dict)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def open(self, number: int) -> float:
        """Open streams up to `number`; return the seconds until all were answered."""
        session_ids = [self.people.begin() for _ in range(number - len(self.streams))]
        gate = asyncio.Semaphore(OPENING)
        began = time.perf_counter()
        await asyncio.gather(*(self._open(one, gate) for one in session_ids))
        return time.perf_counter() - began

    async def _open(self, session_id: str, gate: asyncio.Semaphore) -> None:
        async with gate:
            path = str(self.server.path)
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(
                f"GET /auth/native/login/{session_id}/await HTTP/1.1\r\n"
                "Host: latchkey\r\nAccept: text/event-stream\r\n\r\n".encode()
            )
            await reader.readuntil(b"event: pending")
            self.streams[session_id] = reader
            self.writers.append(writer)

    async def wake_one(self) -> float:
        """Decide one login; return the seconds until its app knows."""
        session_id, reader = self.streams.popitem()
        arrival = asyncio.create_task(reader.readuntil(b"event: denied"))
        await asyncio.sleep(0.02)
        began = time.perf_counter()
        await asyncio.to_thread(self.people.deny, session_id)
        await arrival
        return time.perf_counter() - began

    async def wake_at_once(self, number: int) -> float:
        """Decide many logins in one transaction; return when the last app knows."""
        chosen = dict(self.streams.popitem() for _ in range(number))
        arrivals = [
            asyncio.create_task(reader.readuntil(b"event: denied"))
            for reader in chosen.values()
        ]
        await asyncio.sleep(0.1)
        began = time.perf_counter()
        await asyncio.to_thread(self.people.deny_all, list(chosen))
        await asyncio.gather(*arrivals)
        return time.perf_counter() - began

    def close(self) -> None:
        """Let all of them go away."""
        for writer in self.writers:
            writer.transport.abort()

    # --- what the worker costs

    def memory(self) -> int:
        """Return the bytes that the worker has for itself."""
        lines = (
            Path(f"/proc/{self.server.worker()}/smaps_rollup").read_text().splitlines()
        )
        private = [line for line in lines if line.startswith("Private_")]
        return sum(int(line.split()[1]) for line in private) * 1024

    def cpu(self, seconds: float) -> float:
        """Return the share of a core that the worker takes."""
        before = self.server.cpu_seconds()
        time.sleep(seconds)
        return (self.server.cpu_seconds() - before) / seconds

    def requests(self, number: int) -> list[float]:
        """Return the seconds that other requests take meanwhile."""
        return [self._request() for _ in range(number)]

    def _request(self) -> float:
        began = time.perf_counter()
        self.server.get("/healthz")
        return time.perf_counter() - began


@dataclass
class Measured:
    """What one kind of waiting costs."""

    opening: float
    cpu: float
    wakes: list[float]
    at_once: list[float]


@dataclass
class Crowd:
    """What very many streams cost, and what others then notice."""

    opening: float
    memory: float
    """Bytes that one more stream takes; what the first ones warm up is not theirs."""
    quiet: list[float]
    busy: list[float]


def measure_awaiting(size: Size = FULL) -> None:
    """Print what waiting streams cost, and how soon a decision wakes them."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    try:
        watched = asyncio.run(_measure("wsgi:app", size))
        polled = asyncio.run(_measure("tests.bench.polling:app", size))
        _print(watched, polled, size)
        _print_crowd(asyncio.run(_measure_crowd(size)), size)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def _measure(application: str, size: Size) -> Measured:
    with _apps(application) as apps:
        await apps.open(size.warm)
        opening = await apps.open(size.few)
        cpu = apps.cpu(size.idle_seconds)
        wakes = [await apps.wake_one() for _ in range(size.wakes)]
        at_once = []
        for _ in range(size.rounds):
            await apps.open(size.few)
            at_once.append(await apps.wake_at_once(size.at_once))
        apps.close()
        return Measured(opening=opening, cpu=cpu, wakes=wakes, at_once=at_once)


async def _measure_crowd(size: Size) -> Crowd:
    with _apps("wsgi:app") as apps:
        await apps.open(size.warm)
        quiet = apps.requests(size.requests)
        opening = await apps.open(size.few)
        memory = apps.memory()
        opening += await apps.open(size.many)
        each = (apps.memory() - memory) / (size.many - size.few)
        busy = apps.requests(size.requests)
        apps.close()
        return Crowd(opening=opening, memory=each, quiet=quiet, busy=busy)


@contextmanager
def _apps(application: str) -> Iterator[Apps]:
    with tempfile.TemporaryDirectory(prefix="latchkey-bench-") as name:
        people = People(Path(name))
        settings = {
            **people.environment,
            "LATCHKEY_NATIVE_STREAMS_PER_ADDRESS": "100000",
        }
        with serving(application, Path(name), **settings) as server:
            yield Apps(server, people)
        people.database.close()


def _print(watched: Measured, polled: Measured, size: Size) -> None:
    print(f"\nAwaiting: {size.few} streams on one worker, beside a poll every 250 ms\n")
    print(
        f"{'':<40}{'watched (spread)':>24}{'polled (spread)':>24}{'ratio':>8}  to reach"
    )
    _line("opened, s (to reach: 1)", [watched.opening], [polled.opening])
    idle = [watched.cpu * 100], [polled.cpu * 100]
    _line("idle CPU, % of a core", *idle, target=0.15)
    wakes = _milliseconds(watched.wakes), _milliseconds(polled.wakes)
    _line("woken by another process, ms", *wakes, target=0.06)
    slow = [_percentile(wakes[0], 99)], [_percentile(wakes[1], 99)]
    _line(f"the slow end (p99 of {size.wakes}), ms", *slow, target=0.06)
    at_once = _milliseconds(watched.at_once), _milliseconds(polled.at_once)
    _line(f"the last of {size.at_once} woken at once, ms", *at_once, target=0.4)


def _print_crowd(crowd: Crowd, size: Size) -> None:
    quiet, busy = _milliseconds(crowd.quiet), _milliseconds(crowd.busy)
    print(f"\n{size.many} streams: opened in {crowd.opening:.1f} s,")
    print(f"{crowd.memory / 1024:.1f} KB of memory for each one more (to reach: 20)")
    print(f"{'':<40}{'with them':>24}{'without':>24}{'ratio':>8}  to reach")
    _line("another request, ms", busy, quiet, target=1.3)


def _milliseconds(seconds: list[float]) -> list[float]:
    return [1000 * one for one in seconds]


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


def _line(
    name: str,
    watched: list[float],
    polled: list[float],
    *,
    target: float | None = None,
) -> None:
    ratio = statistics.median(watched) / (statistics.median(polled) or math.inf)
    figures = f"{_spread(watched):>24}{_spread(polled):>24}{ratio:>8.3f}"
    print(f"{name:<40}{figures}{'' if target is None else f'{target:>10}'}")


def _spread(values: list[float]) -> str:
    median = f"{statistics.median(values):.2f}"
    if len(values) == 1:
        return median
    return f"{median} ({min(values):.1f}-{max(values):.1f})"
