"""What it costs that apps wait, beside streams that each poll the database.

gunicorn as it is shipped with one worker, SQLite, one process that holds the apps'
ends and decides their logins. The poll is the same application whose streams look for
themselves every 250 ms.
"""

from __future__ import annotations

import asyncio
import os
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

FEW, MANY, AT_ONCE = 1_000, 5_000, 940
WAKES = 100
IDLE_SECONDS = 5.0
REQUESTS = 300
OPENING = 64
"""Connections that are made at the same time."""

TICK = os.sysconf("SC_CLK_TCK")


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

    def worker(self) -> int:
        """Return the worker's process id."""
        children = Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children")
        (pid,) = map(int, children.read_text().split())
        return pid

    def memory(self) -> int:
        """Return the bytes that the worker has for itself."""
        lines = Path(f"/proc/{self.worker()}/smaps_rollup").read_text().splitlines()
        private = [line for line in lines if line.startswith("Private_")]
        return sum(int(line.split()[1]) for line in private) * 1024

    def cpu(self, seconds: float) -> float:
        """Return the share of a core that the worker takes."""
        before = self._ticks()
        time.sleep(seconds)
        return (self._ticks() - before) / TICK / seconds

    def _ticks(self) -> int:
        fields = Path(f"/proc/{self.worker()}/stat").read_text().rpartition(")")[2]
        return sum(map(int, fields.split()[11:13]))

    def requests(self) -> float:
        """Return the median seconds of a request that has nothing to do with it."""
        return statistics.median(self._request() for _ in range(REQUESTS))

    def _request(self) -> float:
        began = time.perf_counter()
        self.server.get("/healthz")
        return time.perf_counter() - began


@dataclass
class Measured:
    """What one kind of waiting costs."""

    opening: float
    memory: float
    cpu: float
    wakes: list[float]
    at_once: float
    many: tuple[float, float, float] | None = None
    """Seconds until MANY were open; a request without and with them."""


def measure_awaiting() -> None:
    """Print what waiting costs, and how soon who waits is woken."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    watched = asyncio.run(_measure("wsgi:app", many=True))
    polled = asyncio.run(_measure("tests.bench.polling:app"))
    _print(watched, polled)


async def _measure(application: str, *, many: bool = False) -> Measured:
    with _apps(application) as apps:
        await apps.open(20)
        quiet = apps.requests()
        memory = apps.memory()
        opening = await apps.open(FEW)
        each = (apps.memory() - memory) / (FEW - 20)
        measured = Measured(
            opening=opening,
            memory=each,
            cpu=apps.cpu(IDLE_SECONDS),
            wakes=[await apps.wake_one() for _ in range(WAKES)],
            at_once=0.0,
        )
        await apps.open(FEW)
        measured.at_once = await apps.wake_at_once(AT_ONCE)
        if many:
            measured.many = (await apps.open(MANY), quiet, apps.requests())
        apps.close()
        return measured


@contextmanager
def _apps(application: str) -> Iterator[Apps]:
    with tempfile.TemporaryDirectory(prefix="latchkey-bench-") as name:
        people = People(Path(name))
        settings = {
            **people.environment,
            "LATCHKEY_NATIVE_STREAMS_PER_ADDRESS": "100000",
            "LATCHKEY_LOG_LEVEL": "error",
        }
        with serving(application, Path(name), **settings) as server:
            yield Apps(server, people)
        people.database.close()


def _print(watched: Measured, polled: Measured) -> None:
    print(f"\nAwaiting: {FEW} streams on one worker, beside a poll every 250 ms\n")
    print(f"{'':<44}{'watched':>14}{'polled':>14}{'ratio':>8}")
    _line("opened, s", watched.opening, polled.opening)
    _line("memory of one stream, KB", watched.memory / 1024, polled.memory / 1024)
    _line("idle CPU, % of a core", watched.cpu * 100, polled.cpu * 100)
    for name, at in (("median", 0.5), ("p99", 0.99)):
        label = f"woken by another process, {name}, ms"
        _line(label, _quantile(watched.wakes, at), _quantile(polled.wakes, at))
    at_once = watched.at_once * 1000, polled.at_once * 1000
    _line(f"{AT_ONCE} woken at once, the last, ms", *at_once)
    if watched.many is not None:
        opening, quiet, busy = watched.many
        print(f"{MANY} streams, opened in{'':<20}{opening:>14.2f} s")
        print(
            f"another request, without and with them, ms{quiet * 1000:>16.2f}"
            f"{busy * 1000:>14.2f}{busy / quiet:>8.2f}"
        )


def _quantile(seconds: list[float], at: float) -> float:
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(at * len(ordered)))] * 1000


def _line(name: str, watched: float, polled: float) -> None:
    print(f"{name:<44}{watched:>14.2f}{polled:>14.2f}{watched / polled:>8.3f}")
