"""A service whose events are counted in the memory of the test."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from app.config import Settings
from app.metrics.recorder import Recorder
from tests.metrics.scraped import Scrape
from tests.service import Prepared, Service, close, copied, outside_of, production

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    from tests.fakes.world import World


@dataclass(frozen=True)
class Counted:
    """A service and what it counted."""

    service: Service
    registry: CollectorRegistry

    def scrape(self) -> Scrape:
        return Scrape.of(self.registry)


@pytest.fixture
def count(
    world: World, prepared: Prepared, tmp_path: Path
) -> Iterator[Callable[..., Counted]]:
    """Open a service that counts, with other settings where a test says so."""
    opened: list[Service] = []

    def open_one(**changes: Any) -> Counted:
        registry = CollectorRegistry()
        recorder = Recorder(registry, plc="plc.directory")
        database = copied(prepared, tmp_path)
        settings = Settings(**{**production(database), **changes})
        outside = replace(outside_of(world, settings), observe=recorder.observe)
        opened.append(Service(world, settings, outside=outside))
        return Counted(opened[-1], registry)

    yield open_one
    for service in opened:
        close(service.app)


@pytest.fixture
def counted(count: Callable[..., Counted]) -> Counted:
    return count()
