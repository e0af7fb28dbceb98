"""What every test may ask for. The network is off, but for this machine (pyproject)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.world import World

if TYPE_CHECKING:
    from tests.fakes.clock import FakeClock
    from tests.fakes.network import FakeNetwork


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
