"""The listener beside the web application: the same database, the same network."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from app.factory.rpc import open_rpc
from tests.rpc.running import App, Running
from tests.service import Service, outside_of
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fakes.browser import Browser
    from tests.fakes.world import World


@pytest.fixture
def listens(world: World) -> Iterator[Callable[..., Running]]:
    """Start a listener for a service, with other choices where a test says so."""
    running: list[Running] = []
    databases: list[Any] = []

    def start(service: Service, **changes: Any) -> Running:
        listener = open_rpc(
            service.settings, outside=outside_of(world, service.settings)
        )
        databases.append(listener.checks["database"].__self__.database)
        chosen = {"bind": "127.0.0.1:0", "look_again": 0.05, **changes}
        running.append(Running(replace(listener, **chosen)))
        return running[-1]

    yield start
    for one in running:
        one.stops()
    for database in databases:
        database.close()


@pytest.fixture
def running(listens: Callable[..., Running], service: Service) -> Running:
    """A listener as a platform runs it, on the fake network."""
    return listens(service)


@pytest.fixture
def app(running: Running) -> Iterator[App]:
    """An app that is connected."""
    with running.channel() as channel:
        yield App(channel)


@pytest.fixture
def alice(service: Service) -> Browser:
    """Alice, who has a username, in a browser where she is not signed in."""
    signs_in(service, service.browser(), "alice.skyhost.social", username="alice")
    return service.browser()
