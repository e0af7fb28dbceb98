"""The library wired to the fakes."""

from __future__ import annotations

import pytest

from tests.atproto.wired import Library
from tests.fakes.world import World


@pytest.fixture
def library(world: World) -> Library:
    """A confidential web client of the library, on the fake network."""
    return Library(world)
