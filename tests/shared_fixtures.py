"""Fixtures of all tests: a world of hosts and people, and the service in it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.fakes.world import World
from tests.service import Service, opening, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fakes.browser import Browser
    from tests.fakes.clock import FakeClock
    from tests.fakes.network import FakeNetwork
    from tests.service import Prepared


@pytest.fixture
def world() -> World:
    """Hosts and people, with every document that they publish."""
    return World()


@pytest.fixture
def clock(world: World) -> FakeClock:
    """The time, moved by hand."""
    return world.clock


@pytest.fixture
def network(world: World) -> FakeNetwork:
    """The wire between us and the hosts, and its log."""
    return world.network


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Keys, and a database that holds them: made once."""
    return prepare(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def open_service(
    world: World, prepared: Prepared, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Service]]:
    """Open the application, with other settings than usual where a test says so."""
    folder = partial(tmp_path_factory.mktemp, "service")
    with opening(world, prepared, folder) as open_one:
        yield open_one


@pytest.fixture
def service(open_service: Callable[..., Service]) -> Service:
    """The application as a platform runs it, on the fake network."""
    return open_service()


@pytest.fixture
def browser(service: Service) -> Browser:
    """A browser without cookies."""
    return service.browser()
