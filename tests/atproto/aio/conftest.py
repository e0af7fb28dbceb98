"""The asynchronous client on the fake network, and an event loop for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.atproto.aio.wired import AsyncLibrary

if TYPE_CHECKING:
    from tests.fakes.world import World


@pytest.fixture(params=["plain stores", "asynchronous stores"])
def library(request: pytest.FixtureRequest, world: World) -> AsyncLibrary:
    """A confidential web client whose stores are of either kind."""
    world.skyhost.server.token_lifetime = 60
    # A nonce of its own for each answer is no nonce for requests at the same time.
    world.skyhost.pds.proofs.nonces.rotates_every_answer = False
    return AsyncLibrary(world, asynchronous=request.param == "asynchronous stores")
