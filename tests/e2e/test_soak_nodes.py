"""Two nodes at the machine's limit: what they hold is flat, each failure is known.

A minute in every run; `make soak` takes SOAK_SECONDS (five minutes).
"""

from __future__ import annotations

import itertools
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
import requests

from tests.e2e.crowd import GOOD, Crowd, Person
from tests.e2e.gauges import Gauges
from tests.e2e.ledger import grants
from tests.e2e.nodes import Nodes
from tests.lab.network import DEAD_HOST, SLOW_HOST

SECONDS = float(os.environ.get("SOAK_SECONDS", "60"))
PEOPLE = 3
STREAMS = 20
REFRESH_EVERY = 2.0
SLOW_LOGINS = 4

MEMORY_GROWTH = 1.15
SOME_MEGABYTES = 12
SOME_DESCRIPTORS = 24
SOME_CONNECTIONS = 8

EXPLAINED = {
    "login at a dead host 502": "its front door answers 502: the page says so",
    "login at a dead host 503": "after five failures its circuit is open",
    "login at a slow host 504": "it had nine seconds",
    "login at a slow host 502": "it had nine seconds",
    "login at a slow host 503": "after five failures its circuit is open",
}
"""What may be answered beside what is good, and why."""


class Worker:
    """One thread that does something again and again until the soak is over."""

    def __init__(self, work: Callable[[], str], every: float = 0) -> None:
        self._work, self._every = work, every
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.seen: Counter[str] = Counter()

    def __enter__(self) -> Worker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            try:
                self.seen[self._work()] += 1
            except requests.RequestException as error:
                self.seen[f"{self._work.__name__} {type(error).__name__}"] += 1


def login_at(nodes: Nodes, host: str, name: str) -> Callable[[], str]:
    def login() -> str:
        answer = nodes.ask(
            None,
            "/auth/login",
            method="POST",
            data={"identifier": f"https://{host}"},
            headers={"Sec-Fetch-Site": "same-origin"},
        )
        return f"login at a {name} host {answer.status_code}"

    return login


def awaiting(nodes: Nodes, people: list[Person]) -> Callable[[], str]:
    """Return an app that begins a login, waits for a while and goes away."""
    turns = itertools.count()

    def wait() -> str:
        account = people[next(turns) % len(people)].account
        wanted = {"identifier": account.handle, "app_name": "Soak"}
        begun = nodes.ask(None, "/auth/native/login", method="POST", json=wanted)
        if begun.status_code != 201:
            return f"native login {begun.status_code}"
        session_id = begun.json()["session_id"]
        nodes.lab.secrets.add(session_id)
        path = f"/auth/native/login/{session_id}/await"
        waited = nodes.ask(None, path, headers={"Prefer": "wait=3"})
        return f"await {waited.status_code}"

    return wait


def refreshing(nodes: Nodes, people: list[Person]) -> Callable[[], str]:
    turns = itertools.count()

    def refresh() -> str:
        nodes.end_access(people[next(turns) % len(people)])
        return "access tokens ended"

    return refresh


@contextmanager
def deaf(port: int) -> Iterator[None]:
    """Take connections on a port and never answer."""
    with socket.create_server(("127.0.0.1", port), backlog=512):
        yield


def test_nodes_outlive_a_soak(nodes: Nodes, capsys: pytest.CaptureFixture[str]) -> None:
    gauges = Gauges(nodes)
    ends = time.monotonic() + SECONDS
    with ExitStack() as stack:
        people = [stack.enter_context(nodes.lab.person()) for _ in range(PEOPLE)]
        before = [grants(nodes.network, one.account.did)[0].refreshes for one in people]
        stack.enter_context(deaf(nodes.network.ports[SLOW_HOST]))
        workers = [
            Worker(refreshing(nodes, people), REFRESH_EVERY),
            Worker(login_at(nodes, DEAD_HOST, "dead"), 0.5),
            *(
                Worker(login_at(nodes, SLOW_HOST, "slow"), 1.0)
                for _ in range(SLOW_LOGINS)
            ),
            *(Worker(awaiting(nodes, people), 0.5) for _ in range(STREAMS)),
        ]
        with ExitStack() as load:
            for worker in workers:
                load.enter_context(worker)
            crowd = load.enter_context(nodes.crowd(*people))
            load.enter_context(gauges.running())
            signed_in = sign_in_until(ends, nodes)

        refreshes = sum(
            grants(nodes.network, one.account.did)[0].refreshes - was
            for one, was in zip(people, before, strict=True)
        )
        seen = sum((worker.seen for worker in workers), Counter(crowd.seen))
        tell(capsys, gauges, crowd, seen, signed_in, refreshes)
        judge(gauges, seen, signed_in, refreshes)
        for person in people:
            answers = nodes.on_each("/auth/session", person)
            assert [one.json()["did"] for one in answers] == [person.account.did] * 2


def sign_in_until(ends: float, nodes: Nodes) -> int:
    """Let newcomers sign in through the browser and sign out; return how many."""
    for number in itertools.count(1):
        with nodes.lab.person() as person:
            person.visitor.sign_out()
        if time.monotonic() > ends:
            return number
    raise AssertionError("count() has no end")


def judge(gauges: Gauges, seen: Counter[str], signed_in: int, refreshes: int) -> None:
    unexplained = {
        what: times
        for what, times in seen.items()
        if what not in EXPLAINED and what.split()[-1] not in {*GOOD, "202", "ended"}
    }
    warm, end = gauges.second_quarter(), gauges.last_quarter()
    assert not unexplained
    assert signed_in > 1
    assert refreshes > SECONDS / REFRESH_EVERY / 3
    assert end.memory < warm.memory * MEMORY_GROWTH + SOME_MEGABYTES
    assert end.descriptors < warm.descriptors + SOME_DESCRIPTORS
    assert end.connections < warm.connections + SOME_CONNECTIONS


def tell(
    capsys: pytest.CaptureFixture[str],
    gauges: Gauges,
    crowd: Crowd,
    seen: Counter[str],
    signed_in: int,
    refreshes: int,
) -> None:
    with capsys.disabled():
        print(f"\nA soak of two nodes, {SECONDS:.0f} s: {signed_in} sign-ins,")
        print(f"  {refreshes} refreshes, {crowd.seen.total()} other requests")
        print(f"  warm: {gauges.second_quarter()}")
        print(f"  end:  {gauges.last_quarter()}")
        for what, times in sorted(seen.items()):
            print(f"  {times:>7} {what}  {EXPLAINED.get(what, '')}")
