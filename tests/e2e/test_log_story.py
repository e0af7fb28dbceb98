"""One search for a login_id in the logs of two nodes shows the whole story."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.e2e.nodes import Nodes
from tests.e2e.test_native import events
from tests.e2e.test_nodes import begin, finish, go_to
from tests.e2e.visitor import Visitor
from tests.lab.network import NODE_NAMES, Account
from tests.lab.processes import session


@pytest.fixture
def visitor(nodes: Nodes) -> Iterator[Visitor]:
    with nodes.lab.visitor() as visitor:
        yield visitor


@pytest.fixture
def account(nodes: Nodes) -> Account:
    return nodes.lab.new_account("l")


def lines_of(nodes: Nodes, node: str, word: str) -> list[str]:
    """Search the log of one node."""
    log = nodes.network.directory / "logs" / f"node-{node}.log"
    return [line for line in log.read_text("utf-8").splitlines() if word in line]


def login_ids(nodes: Nodes, did: str) -> set[str]:
    """Return the logins that ended with this account, in the logs of both nodes."""
    found = (line for node in NODE_NAMES for line in lines_of(nodes, node, did))
    return {match[1] for line in found if (match := re.search(r"login_id=(\w+)", line))}


def routes(nodes: Nodes, node: str, login_id: str, *, until: str) -> list[str]:
    """Return the routes of a login's requests, once the log has the last of them.

    A line is written when its answer has been sent.
    """
    found: list[str] = []
    for _ in range(100):
        lines = "\n".join(lines_of(nodes, node, login_id))
        found = re.findall(r"app\.access: (?:GET|POST) (\S+)", lines)
        if until in found:
            break
        time.sleep(0.1)
    return found


def test_login_on_two_nodes_is_one_story(
    nodes: Nodes, visitor: Visitor, account: Account
) -> None:
    begin(visitor, account, "a")
    finish(visitor, account, "b")

    (login_id,) = login_ids(nodes, account.did)
    for node, route in (("a", "/auth/login"), ("b", "/auth/callback")):
        assert routes(nodes, node, login_id, until=route) == [route]


def test_login_of_an_app_on_two_nodes_is_one_story(
    nodes: Nodes, visitor: Visitor, account: Account
) -> None:
    with session(nodes.network.ca) as http:
        http.headers["X-Node"] = "a"
        begun = http.post(
            f"{nodes.lab.service.url}/auth/native/login",
            json={"identifier": account.handle, "app_name": "Sketch"},
            timeout=30,
        ).json()
        nodes.lab.secrets.add(begun["session_id"])
        url = f"{nodes.lab.service.url}/auth/native/login/{begun['session_id']}/await"
        headers = {"Accept": "text/event-stream"}
        with http.get(url, headers=headers, stream=True, timeout=60) as stream:
            heard = events(stream)
            assert next(heard) == {"status": "pending"}
            go_to(visitor, "b")
            visitor.page.goto(begun["oauth_url"])
            visitor.approve(account)
            visitor.choose_username(account.handle.partition(".")[0])
            visitor.press("Yes, it is my app")
            next(heard)
            list(heard)

    (login_id,) = login_ids(nodes, account.did)
    awaited = "/auth/native/login/.../await"
    here = routes(nodes, "a", login_id, until=awaited)
    there = routes(nodes, "b", login_id, until="/auth/native/confirm")
    assert here == ["/auth/native/login", awaited]
    assert there[:2] == ["/auth/native/open", "/auth/callback"]
    assert set(there[2:]) == {"/auth/native/confirm"}
