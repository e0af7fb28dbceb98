"""A server that sends the largest allowed of everything, beside another sign-in.

No answer costs the other people their sign-in, or more than 24 KB
of rows that stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from app.atproto.discovery.servers import DOCUMENT_LIMIT
from app.atproto.http.limits import MAX_HEAD_BYTES, MAX_HEAD_LINES
from app.atproto.oauth.dpop import ANSWER_LIMIT
from app.atproto.oauth.server import REQUEST_URI_LIMIT
from app.atproto.records import SCOPE_LIMIT, SCOPE_WORDS, TOKEN_LIMIT
from tests.fakes.browser import AtHost
from tests.fakes.faults import Fills, Holds
from tests.fakes.page import Page
from tests.fakes.world import PLC, Person, World
from tests.service import Service

ALICE = "alice.skyhost.social"
HEAVY = "https://as.heavy.cafe"
RESOURCE = "https://pds.heavy.cafe/.well-known/oauth-protected-resource"
METADATA = f"{HEAVY}/.well-known/oauth-authorization-server"
PAR, TOKEN = f"{HEAVY}/oauth/par", f"{HEAVY}/oauth/token"
ROWS_LIMIT = 24_000
"""Bytes of rows that a finished login may leave."""


def fills(body: int) -> Fills:
    """Fill a body to its limit, and the head almost: the host's own lines stay."""
    return Fills(body=body, head=MAX_HEAD_BYTES - 1_000, lines=MAX_HEAD_LINES - 15)


@pytest.fixture
def mallory(world: World) -> Person:
    """An account at a host whose every answer is as large as it may be."""
    host = world.add_host("heavy.cafe", server="as.heavy.cafe")
    person = world.settle("mallory.heavy.cafe", host)
    words = [f"repo:{'x' * 20}.{number:03}" for number in range(SCOPE_WORDS - 1)]
    host.server.lies.granted_scope = " ".join(["atproto", *words])[:SCOPE_LIMIT]
    host.server.lies.sizes = {
        "request_uri": REQUEST_URI_LIMIT,
        "access_token": TOKEN_LIMIT,
        "refresh_token": TOKEN_LIMIT,
    }
    for url in (f"https://{PLC}/{person.did}", RESOURCE, METADATA):
        world.network.lay(url, fills(DOCUMENT_LIMIT))
    for url in (PAR, TOKEN):
        world.network.lay(url, fills(ANSWER_LIMIT))
    return person


MINUTES = {"cache_entries", "callback_answers"}
"""Tables whose rows go within minutes; they have bounds of their own."""


def stored_bytes(service: Service) -> int:
    """Return the bytes of all values in the tables whose rows stay."""
    tables = service.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")
    names = {table for (table,) in tables}
    assert names > MINUTES
    total = 0
    for table in sorted(names - MINUTES):
        columns = [row[1] for row in service.rows(f"PRAGMA table_info({table})")]
        length = " + ".join(
            f"coalesce(length(CAST({name} AS BLOB)), 0)" for name in columns
        )
        [(size,)] = service.rows(f"SELECT sum({length}) FROM {table}")  # noqa: S608
        total += size or 0
    return total


@pytest.fixture
def beside() -> Iterator[Callable[[Callable[[], object]], Future[object]]]:
    """Run something in a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit


@pytest.mark.parametrize("url", [RESOURCE, METADATA, PAR, TOKEN])
def test_login_beside_the_largest_answers_is_whole(
    service: Service,
    world: World,
    mallory: Person,
    beside: Callable[[Callable[[], object]], Future[object]],
    url: str,
) -> None:
    """Alice signs in from start to end while the large answer at `url` arrives."""
    held = Holds()
    world.network.lay(url, held)
    heavy = service.browser(address="203.0.113.9")
    other = beside(lambda: heavy.opens_login().types(mallory.handle).approves())
    assert held.asked.wait(30)

    alice = service.browser()
    alice.signs_in(ALICE, username="alice")
    held.released.set()
    arrived = other.result(timeout=30)

    answer = alice.visits("/auth/session", accept="application/json")
    assert (answer.status, answer.json["did"]) == (200, world.alice.did)
    assert isinstance(arrived, Page)
    assert arrived.form_with("username")


def test_login_with_the_largest_answers_leaves_few_rows(
    service: Service, world: World, mallory: Person
) -> None:
    before = stored_bytes(service)
    browser = service.browser()
    browser.signs_in(mallory.handle)
    service.rows("DELETE FROM callback_answers")  # they last for two minutes

    assert stored_bytes(service) - before < ROWS_LIMIT


def test_begun_login_with_the_largest_answers_leaves_few_rows(
    service: Service, world: World, mallory: Person
) -> None:
    before = stored_bytes(service)
    at_host = service.browser().opens_login().types(mallory.handle)

    assert isinstance(at_host, AtHost)
    assert stored_bytes(service) - before < ROWS_LIMIT
