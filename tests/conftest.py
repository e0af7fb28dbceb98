"""Fixtures of all tests. The network is off but for this machine (pyproject.toml)."""

from __future__ import annotations

import gc
import os
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.fakes.world import World
from tests.marked import MarkedOnly
from tests.service import Service, opening, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fakes.browser import Browser
    from tests.fakes.clock import FakeClock
    from tests.fakes.network import FakeNetwork
    from tests.service import Prepared

# Command lines speak the language of the terminal; tests read English.
os.environ["LANGUAGE"] = "en"

# Properties are about truth, not speed: a busy machine fails no test. And a gate says
# the same twice of the same tree: `--hypothesis-profile=exploring` looks elsewhere.
# `make test` is for every few minutes, and draws a quarter of the gate's examples.
settings.register_profile(
    "exploring", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("gate", settings.get_profile("exploring"), derandomize=True)
settings.register_profile("quick", settings.get_profile("gate"), max_examples=25)
settings.load_profile("gate")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse processes in tests that do not carry the marker `process`."""
    config.pluginmanager.register(MarkedOnly())


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep the garbage collector away from the collected tests, some 10^5 objects."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


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
