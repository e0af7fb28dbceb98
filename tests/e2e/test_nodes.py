"""Two nodes serve the same people while nodes and database fail.

The clock of node b is 20 seconds ahead throughout. No fault signs a
person out, and a login that a person could still finish is finished.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.crowd import Crowd, Person
from tests.e2e.faults import FAULTS, SOME
from tests.e2e.ledger import grants
from tests.e2e.nodes import Nodes
from tests.e2e.test_native import events
from tests.e2e.visitor import Visitor
from tests.lab.network import NODE_NAMES, Account
from tests.lab.processes import session

EVERYWHERE_WITHIN = 10.0


@pytest.fixture(scope="module")
def alice(nodes: Nodes) -> Iterator[Person]:
    with nodes.lab.person() as person:
        yield person


@pytest.fixture(scope="module")
def bob(nodes: Nodes) -> Iterator[Person]:
    with nodes.lab.person() as person:
        yield person


@pytest.fixture
def visitor(nodes: Nodes) -> Iterator[Visitor]:
    with nodes.lab.visitor() as visitor:
        yield visitor


@pytest.fixture
def account(nodes: Nodes) -> Account:
    return nodes.lab.new_account("n")


def go_to(visitor: Visitor, node: str) -> None:
    """Let this browser's requests go to one node from now on."""
    visitor.context.set_extra_http_headers({"X-Node": node})


def begin(visitor: Visitor, account: Account, node: str) -> None:
    """Begin a login on a node, up to the host's page."""
    go_to(visitor, node)
    visitor.open_login()
    visitor.identify_as(account.handle)


def finish(visitor: Visitor, account: Account, node: str) -> None:
    """Finish it on a node, and choose a username."""
    go_to(visitor, node)
    visitor.approve(account)
    visitor.choose_username(account.handle.partition(".")[0])


def require_signed_in(nodes: Nodes, *people: Person) -> None:
    """Fail unless each node knows each person, and their host still serves them."""
    for person in people:
        answers = nodes.on_each("/auth/session", person)
        assert [one.json().get("did") for one in answers] == [person.account.did] * 2
        assert nodes.call_at_once(person, 2) == [200, 200]


def tell(capsys: pytest.CaptureFixture[str], what: str, crowd: Crowd) -> None:
    with capsys.disabled():
        print(f"\n{what}: {crowd.seen.total()} answers")
        for outcome, times in sorted(crowd.seen.items()):
            print(f"  {times:>6} {outcome}")


def tell_that_nothing_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print("  lost: no session, and not the login that had begun before")


@pytest.mark.parametrize(("here", "there"), [("a", "b"), ("b", "a")])
def test_login_that_began_on_one_node_is_finished_on_the_other(
    nodes: Nodes, visitor: Visitor, account: Account, here: str, there: str
) -> None:
    begin(visitor, account, here)
    finish(visitor, account, there)

    assert visitor.whoami()["did"] == account.did
    go_to(visitor, here)
    assert visitor.whoami()["did"] == account.did


@pytest.mark.parametrize(("here", "there"), [("a", "b"), ("b", "a")])
def test_app_that_awaits_on_one_node_hears_of_the_decision_on_the_other(
    nodes: Nodes, visitor: Visitor, account: Account, here: str, there: str
) -> None:
    with session(nodes.network.ca) as http:
        http.headers["X-Node"] = here
        begun = http.post(
            f"{nodes.lab.service.url}/auth/native/login",
            json={"identifier": account.handle, "app_name": "Sketch"},
            timeout=30,
        ).json()
        url = f"{nodes.lab.service.url}/auth/native/login/{begun['session_id']}/await"
        headers = {"Accept": "text/event-stream"}
        with http.get(url, headers=headers, stream=True, timeout=60) as stream:
            heard = events(stream)
            assert next(heard) == {"status": "pending"}
            go_to(visitor, there)
            visitor.page.goto(begun["oauth_url"])
            visitor.approve(account)
            visitor.choose_username(account.handle.partition(".")[0])
            began = time.monotonic()
            visitor.press("Allow")
            completed = next(heard)

    assert completed["did"] == account.did
    assert time.monotonic() - began < EVERYWHERE_WITHIN
    token = {"Authorization": f"Bearer {completed['token']}"}
    for node in NODE_NAMES:
        assert nodes.ask(node, "/auth/session", headers=token).status_code == 200


def test_calls_on_both_nodes_at_once_refresh_once(nodes: Nodes, alice: Person) -> None:
    [before] = grants(nodes.network, alice.account.did)
    nodes.end_access(alice)

    assert set(nodes.call_at_once(alice, 12)) == {200}

    [after] = grants(nodes.network, alice.account.did)
    assert after.refreshes == before.refreshes + 1


def test_sweeps_on_both_nodes_at_once_leave_everyone_signed_in(
    nodes: Nodes, alice: Person, bob: Person
) -> None:
    sweeps = [nodes.command("sweep") for _ in NODE_NAMES]
    outputs = [sweep.communicate(timeout=60)[0] for sweep in sweeps]

    assert [sweep.returncode for sweep in sweeps] == [0, 0], outputs
    require_signed_in(nodes, alice, bob)


def test_disabled_account_is_refused_on_both_nodes_within_ten_seconds(
    nodes: Nodes,
) -> None:
    with nodes.lab.person() as person:
        for answer in nodes.on_each("/auth/verify", person):
            assert answer.status_code == 200
        disabled = nodes.command(
            "users", "disable", person.account.did, "--yes", "--reason", "a test"
        )
        output, _ = disabled.communicate(timeout=60)
        assert disabled.returncode == 0, output

        ended = time.monotonic()
        for node in NODE_NAMES:
            require_refused(nodes, person, node, since=ended)


def test_key_that_is_rotated_at_once_is_used_and_known_on_both_nodes(
    nodes: Nodes, alice: Person
) -> None:
    before = published(nodes, "a")
    rotated = nodes.command("keys", "rotate", "platform", "--now", "--yes")
    output, _ = rotated.communicate(timeout=60)
    assert rotated.returncode == 0, output

    changed = time.monotonic()
    while not all(one > before for one in published_by_all(nodes)):
        assert time.monotonic() - changed < EVERYWHERE_WITHIN
        time.sleep(0.2)

    require_signed_in(nodes, alice)
    with nodes.lab.person() as newcomer:
        require_signed_in(nodes, newcomer)


def published(nodes: Nodes, node: str) -> set[str]:
    """Return the ids of the keys that a node publishes."""
    keys = nodes.ask(node, "/.well-known/jwks.json").json()["keys"]
    return {key["kid"] for key in keys}


def published_by_all(nodes: Nodes) -> list[set[str]]:
    """Ask each node several times: each of its workers reads the keys by itself."""
    return [published(nodes, node) for node in NODE_NAMES for _ in range(4)]


def require_refused(nodes: Nodes, person: Person, node: str, *, since: float) -> None:
    """Wait until a node refuses the person's token; ten seconds at most."""
    while nodes.ask(node, "/auth/verify", cookies=person.cookies).ok:
        assert time.monotonic() - since < EVERYWHERE_WITHIN
        time.sleep(0.2)


def test_sign_out_on_one_node_is_known_on_the_other_within_ten_seconds(
    nodes: Nodes,
) -> None:
    with nodes.lab.person() as person:
        for answer in nodes.on_each("/auth/verify", person):
            assert answer.status_code == 200
        go_to(person.visitor, "a")
        person.visitor.sign_out()
        require_refused(nodes, person, "b", since=time.monotonic())


def test_node_killed_in_the_middle_of_a_refresh_delays_calls_until_its_lease_ends(
    nodes: Nodes, alice: Person
) -> None:
    """The directory is silent, so that the refresh token is not sent before the kill.

    A kill between the host's answer and our commit ends the session, for every client
    of this protocol (requirement 7.7): tests/stores/test_refresh_processes.py.
    """
    [before] = grants(nodes.network, alice.account.did)
    nodes.end_access(alice)
    processes = nodes.network.processes
    with ThreadPoolExecutor(1) as pool:
        with processes.paused("plc"):
            call = pool.submit(nodes.call, alice, "a")
            nodes.wait_until_leased(alice)
            processes.kill("node-a")
        assert call.result().status_code in {502, 504}

    busy = nodes.call(alice, "b")
    assert (busy.status_code, busy.json()["error"]) == (504, "host_unreachable")
    assert nodes.ask("b", "/auth/session", cookies=alice.cookies).status_code == 200

    processes.start_again("node-a")
    nodes.end_leases(alice)
    require_signed_in(nodes, alice)
    [after] = grants(nodes.network, alice.account.did)
    assert (after.id, after.refreshes) == (before.id, before.refreshes + 1)


@pytest.mark.parametrize("name", FAULTS)
def test_fault_signs_no_one_out_and_loses_no_login(
    nodes: Nodes,
    alice: Person,
    bob: Person,
    visitor: Visitor,
    account: Account,
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fault = FAULTS[name]
    begin(visitor, account, "a")
    with nodes.crowd(alice, bob) as crowd:
        crowd.wait_for(SOME)
        with fault.apply(nodes, crowd):
            crowd.wait_for(2 * SOME)

    tell(capsys, name, crowd)
    assert not crowd.unexpected(fault.seen)
    finish(visitor, account, "b")
    require_signed_in(nodes, alice, bob)
    tell_that_nothing_is_lost(capsys)
