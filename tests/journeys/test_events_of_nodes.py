"""GET /auth/events of two nodes on one PostgreSQL: one order, and nothing is lost."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from app.config import Settings
from app.stores.people.accounts import SqlAccounts
from app.stores.people.users import SqlUsers
from tests.journeys.people.commands import prints
from tests.service import Service, close, database_of, production
from tests.stores.cluster import postgresql
from tests.stores.samples import ALICE, BOB, user

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.world import World

pytestmark = pytest.mark.process

CHANGES = 20
"""Of each node: an account is disabled and enabled, over and over."""


@pytest.fixture
def nodes(world: World, tmp_path: Path) -> Iterator[list[Service]]:
    """Two services on one database."""
    with postgresql() as url:
        settings = Settings(**{**production(tmp_path / "none"), "database_url": url})
        services = [Service(world, settings), Service(world, settings)]
        made = services[0].app.test_cli_runner().invoke(args=["init"])
        assert made.exit_code == 0, made.output
        yield services
        for service in services:
            close(service.app)


def changes(node: Service, name: str) -> None:
    """Disable and enable an account of this node's own."""
    did = {"alice": ALICE, "bob": BOB}[name]
    database = database_of(node.app)
    SqlUsers(database).add(user(did=did, username=name), skeleton=name)
    accounts = SqlAccounts(database)
    for number in range(CHANGES):
        if number % 2:
            accounts.enable(did, now=number)
        else:
            accounts.disable(did, now=number)


def follows(nodes: list[Service], key: str, written: Event) -> list[dict[str, Any]]:
    """Read as a service behind a load balancer does: each time from the other node.

    The last read begins after all was written.
    """
    events: list[dict[str, Any]] = []
    cursor, is_last = "", False
    for node in itertools.cycle(nodes):
        if is_last:
            break
        is_last = written.is_set()
        page = (
            node.app.test_client()
            .get(
                f"/auth/events?after={cursor}",
                base_url=node.home,
                headers={"Authorization": f"Bearer {key}"},
            )
            .get_json()
        )
        events += page["events"]
        cursor = page["next"]
    return events


def test_reader_of_two_nodes_gets_every_event_once_and_in_order(
    nodes: list[Service],
) -> None:
    [printed] = prints(nodes[0], "service-keys", "create", "wiki", "--may", "events")
    total, written = 2 * (1 + CHANGES), Event()

    with ThreadPoolExecutor(3) as pool:
        reading = pool.submit(follows, nodes, printed["key"], written)
        writing = [
            pool.submit(changes, node, name)
            for node, name in zip(nodes, ("alice", "bob"), strict=True)
        ]
        wait(writing)
        written.set()
        assert [one.result() for one in writing] == [None, None]
        events = reading.result()

    assert len({event["id"] for event in events}) == len(events) == total
    for did in (ALICE, BOB):
        kinds = [event["event"] for event in events if event["did"] == did]
        assert kinds == ["signed_up", *["disabled", "enabled"] * (CHANGES // 2)]
