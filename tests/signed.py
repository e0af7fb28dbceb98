"""First sign-ins, done once for each set of settings and copied from then on.

Half of the journeys begin with a person who has signed up. What that leaves behind is
kept: the rows of the database, the grants at the host, the cookies of the browser and
the log of the network. A service that nothing has happened at gets a copy of it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.fakes.clock import NOON

if TYPE_CHECKING:
    from tests.fakes.browser import Browser
    from tests.fakes.world import World
    from tests.service import Service

WRITES_LOG = slice(18, 20)
NO_LOG = b"\x01\x01"
"""Bytes of SQLite's file header (https://sqlite.org/fileformat.html)."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a sign-in has left behind."""

    database: bytes
    browser: tuple[Any, Any, str]
    log: list[Any]
    servers: dict[str, tuple[Any, Any]]
    """Grants and fetched client documents, by the name of the server."""


_done: dict[tuple[str, str, str], Left] = {}


def signs_in(
    service: Service, browser: Browser, handle: str, *, username: str
) -> Browser:
    """Sign a newcomer in; return the browser."""
    if not _is_untouched(service.world):
        browser.signs_in(handle, username=username)
        return browser
    key = (_settings(service), handle, username)
    if key in _done:
        _restore(_done[key], service, browser)
    else:
        browser.signs_in(handle, username=username)
        _done[key] = _left(service, browser)
    return browser


def _is_untouched(world: World) -> bool:
    grants = [server.grants.all for server in world.servers.values()]
    return not (world.network.log or any(grants)) and world.clock() == NOON


def _settings(service: Service) -> str:
    fields = sorted(type(service.settings).model_fields)
    return repr(
        [getattr(service.settings, name) for name in fields if name != "database_url"]
    )


def _file(service: Service) -> str:
    return service.settings.database_url.removeprefix("sqlite:///")


def _left(service: Service, browser: Browser) -> Left:
    with closing(sqlite3.connect(_file(service), timeout=5)) as connection:
        database = bytearray(connection.serialize())
    database[WRITES_LOG] = NO_LOG  # a database in memory has no write-ahead log
    world = service.world
    return Left(
        database=bytes(database),
        browser=deepcopy((browser.jar._cookies, browser.trail, browser.device)),
        log=list(world.network.log),
        servers=deepcopy(
            {
                name: (server.grants, server.clients._kept)
                for name, server in world.servers.items()
            }
        ),
    )


def _restore(left: Left, service: Service, browser: Browser) -> None:
    with (
        closing(sqlite3.connect(":memory:")) as kept,
        closing(sqlite3.connect(_file(service), timeout=5)) as connection,
    ):
        kept.deserialize(left.database)
        kept.backup(connection)
    browser.jar._cookies, browser.trail, browser.device = deepcopy(left.browser)
    service.world.network.log.extend(left.log)
    for name, (grants, documents) in deepcopy(left.servers).items():
        server = service.world.servers[name]
        server.grants, server.clients._kept = grants, documents
