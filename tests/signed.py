"""What tests begin with, done once for each set of settings and copied from then on.

Half of the journeys begin with a person who has signed up, and some with a second one
or with an app that was let in. What that leaves behind is kept: the rows of the
database, the grants at the host, the log of the network, and what the step returned,
such as the cookies of a browser. A service at which nothing else has happened gets a
copy of it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tests.fakes.clock import NOON

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.browser import Browser
    from tests.fakes.world import World
    from tests.service import Service

T = TypeVar("T")

WRITES_LOG = slice(18, 20)
NO_LOG = b"\x01\x01"
"""Bytes of SQLite's file header (https://sqlite.org/fileformat.html)."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a step has left behind."""

    database: bytes
    log: list[Any]
    servers: dict[str, tuple[Any, Any]]
    """As `remembered` returns it."""
    returned: Any


_done: dict[tuple[str, ...], Left] = {}


class Steps:
    """The kept steps of one service, while nothing else happens at it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._taken: tuple[str, ...] | None = ()
        self._state = self._look()
        log, grants, clock, *rows = self._state
        if log or grants or clock != NOON or not rows:
            self._taken = None

    def take(self, name: str, play: Callable[[], T]) -> T:
        """Return what `play` returns, or a copy of what it returned elsewhere.

        It moves no clock and changes nothing in the world but what `Left` names.
        """
        if self._taken is None or self._look() != self._state:
            self._taken = None
            return play()
        self._taken = (*(self._taken or (_settings(self._service),)), name)
        if self._taken in _done:
            returned = _restored(_done[self._taken], self._service)
        else:
            begin = len(self._service.world.network.log)
            returned = play()
            _done[self._taken] = _left(self._service, returned, begin)
        self._state = self._look()
        return returned

    def _look(self) -> list[float]:
        """Return what changes when something happens: requests, grants, time, rows."""
        world, file = self._service.world, _file(self._service)
        grants = sum(len(server.grants.all) for server in world.servers.values())
        look: list[float] = [len(world.network.log), grants, world.clock()]
        for path in (file, Path(f"{file}-wal")):
            if path.exists() and (found := path.stat()).st_size:
                look += [found.st_size, found.st_mtime_ns]
        return look


def signs_in(
    service: Service,
    browser: Browser,
    handle: str,
    *,
    username: str | None = None,
    **query: str,
) -> Browser:
    """Sign a person in, with a username when it is the first time; return the browser.

    The browser has done nothing before.
    """

    def play() -> tuple[Any, Any, str]:
        browser.signs_in(handle, username=username, **query)
        return browser.jar._cookies, browser.trail, browser.device

    assert not browser.trail
    kept = service.steps.take(f"sign in: {handle} {username} {query}", play)
    browser.jar._cookies, browser.trail, browser.device = kept
    return browser


def _settings(service: Service) -> str:
    fields = sorted(type(service.settings).model_fields)
    return repr(
        [getattr(service.settings, name) for name in fields if name != "database_url"]
    )


def _file(service: Service) -> Path:
    return Path(service.settings.database_url.removeprefix("sqlite:///"))


def _left(service: Service, returned: Any, begin: int) -> Left:
    with closing(sqlite3.connect(_file(service), timeout=5)) as connection:
        database = bytearray(connection.serialize())
    database[WRITES_LOG] = NO_LOG  # a database in memory has no write-ahead log
    world = service.world
    return Left(
        database=bytes(database),
        log=world.network.log[begin:],
        servers=remembered(world),
        returned=_copy(returned, _parts(service), PLACES),
    )


def _restored(left: Left, service: Service) -> Any:
    with (
        closing(sqlite3.connect(":memory:")) as kept,
        closing(sqlite3.connect(_file(service), timeout=5)) as connection,
    ):
        kept.deserialize(left.database)
        kept.backup(connection)
    service.world.network.log.extend(left.log)
    restore_memory(service.world, left.servers)
    return _copy(left.returned, PLACES, _parts(service))


def remembered(world: World) -> dict[str, tuple[Any, Any]]:
    """Return the grants and the fetched client documents of each server."""
    servers = world.servers.items()
    return deepcopy({name: (one.grants, one.clients._kept) for name, one in servers})


def restore_memory(world: World, memory: dict[str, tuple[Any, Any]]) -> None:
    """Give the servers what those of another world remembered."""
    for name, (grants, documents) in deepcopy(memory).items():
        server = world.servers[name]
        server.grants, server.clients._kept = grants, documents


def _parts(service: Service) -> tuple[object, ...]:
    """Return what a copy has from its own service."""
    return service, service.world, service.world.clock


PLACES = (object(), object(), object())
"""They stand for `_parts` in what is kept."""


def _copy(value: Any, given: tuple[object, ...], wanted: tuple[object, ...]) -> Any:
    return deepcopy(
        value, {id(old): new for old, new in zip(given, wanted, strict=True)}
    )
