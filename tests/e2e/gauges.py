"""What the nodes hold: memory, descriptors, and connections of PostgreSQL."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Final

from tests.e2e.nodes import Nodes
from tests.lab.network import NODE_NAMES

EVERY: Final = 1.0
"""Seconds between two samples."""

CONNECTIONS: Final = "SELECT count(*) FROM pg_stat_activity WHERE usename IS NOT NULL"


@dataclass(frozen=True)
class Sample:
    """All processes of both nodes together."""

    memory: float
    """Megabytes, shared ones counted once."""

    descriptors: float
    connections: float

    def __str__(self) -> str:
        memory, descriptors, connections = astuple(self)
        return (
            f"{memory:.0f} MB, {descriptors:.0f} descriptors,"
            f" {connections:.0f} connections"
        )


@dataclass
class Gauges:
    """Samples that are taken while a block runs."""

    nodes: Nodes
    samples: list[Sample] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Take samples until the block ends."""
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def second_quarter(self) -> Sample:
        """Return the medians of when all was warm."""
        return _medians(self.samples[len(self.samples) // 4 : len(self.samples) // 2])

    def last_quarter(self) -> Sample:
        """Return the medians of the end."""
        return _medians(self.samples[-(len(self.samples) // 4) :])

    def _run(self) -> None:
        while not self._ended.wait(EVERY):
            self.samples.append(measure(self.nodes))


def measure(nodes: Nodes) -> Sample:
    """Measure now."""
    programs = [nodes.network.processes.program(f"node-{name}") for name in NODE_NAMES]
    pids = [pid for program in programs for pid in _group(program.process.pid)]
    with nodes.lab.vault.database.read() as connection:
        connections = connection.exec_driver_sql(CONNECTIONS).scalar_one()
    return Sample(
        memory=sum(map(_proportional_megabytes, pids)),
        descriptors=sum(map(_descriptors, pids)),
        connections=connections,
    )


def _group(leader: int) -> list[int]:
    """Return the processes of a process group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[2]) == leader:
                found.append(int(stat.parent.name))
    return found


def _proportional_megabytes(pid: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0


def _descriptors(pid: int) -> int:
    with suppress(OSError):
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return 0


def _medians(samples: Sequence[Sample]) -> Sample:
    columns = zip(*map(astuple, samples), strict=True)
    return Sample(*(statistics.median(column) for column in columns))
