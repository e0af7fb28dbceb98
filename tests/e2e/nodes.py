"""Two nodes of one platform on one PostgreSQL, behind nginx, and what befalls them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from sqlalchemy import text

from tests.e2e.crowd import Crowd, Person
from tests.e2e.laboratory import Laboratory
from tests.lab.network import NODE_NAMES, Network
from tests.lab.service import ROOT, SCOPE_MAX, start_node
from tests.stores.cluster import Cluster

AHEAD = 20.0
"""Seconds by which the clock of node b is ahead."""

GET_SESSION = "/auth/xrpc/com.atproto.server.getSession"
END_ACCESS = "UPDATE oauth_sessions SET expires_at = 1 WHERE did = :did"
END_LEASES = "UPDATE oauth_sessions SET lease_until = 1 WHERE did = :did"
REFRESHES = """
    SELECT lease_holder IS NOT NULL AS leased, expires_at = 1 AS due
    FROM oauth_sessions WHERE did = :did
"""
PATIENCE = 60.0
PAUSE = 0.02


@dataclass
class Nodes:
    """The platform; its laboratory is that of node a."""

    lab: Laboratory
    database: Cluster

    @property
    def network(self) -> Network:
        return self.lab.network

    def ask(self, node: str | None, path: str, **options: Any) -> requests.Response:
        """Ask one node, or any, through the proxy."""
        chosen = {"X-Node": node} if node else {}
        headers = {**options.pop("headers", {}), **chosen}
        return self.lab.ask(path, headers=headers, **options)

    def on_each(self, path: str, person: Person) -> list[requests.Response]:
        """Ask each node with the person's cookies."""
        return [self.ask(node, path, cookies=person.cookies) for node in NODE_NAMES]

    def call(self, person: Person, node: str) -> requests.Response:
        """Call the person's PDS through one node."""
        return self.ask(node, GET_SESSION, headers=person.bearer)

    def call_at_once(self, person: Person, times: int) -> list[int]:
        """Call the person's PDS through both nodes at the same time."""
        nodes = [NODE_NAMES[turn % len(NODE_NAMES)] for turn in range(times)]
        with ThreadPoolExecutor(times) as pool:
            answers = pool.map(lambda node: self.call(person, node), nodes)
            return [answer.status_code for answer in answers]

    def end_access(self, person: Person) -> None:
        """Let every node take the person's access token for one that has run out."""
        self._change(END_ACCESS, person)

    def end_leases(self, person: Person) -> None:
        """Let the lease of a refresh run out now, instead of after its 45 seconds."""
        self._change(END_LEASES, person)

    def wait_until_leased(self, person: Person) -> None:
        """Return when a process refreshes the person's session."""
        self._wait(person, lambda leased, _due: leased)

    def wait_until_refreshed(self, person: Person) -> None:
        """Return when the person's session has new tokens, and no lease."""
        self._wait(person, lambda leased, due: not (leased or due))

    def _change(self, statement: str, person: Person) -> None:
        with self.lab.vault.database.write() as connection:
            connection.execute(text(statement), {"did": person.account.did})

    def _wait(self, person: Person, is_so: Callable[[bool, bool], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not is_so(*self._refreshes(person)):
            assert time.monotonic() < deadline, "no refresh began, or none ended"
            time.sleep(PAUSE)

    def _refreshes(self, person: Person) -> tuple[bool, bool]:
        """Return whether a process has the lease, and whether a refresh is due."""
        with self.lab.vault.database.read() as connection:
            rows = connection.execute(text(REFRESHES), {"did": person.account.did})
            [(leased, due)] = rows.all()
        return bool(leased), bool(due)

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command of the service, as the operator of a node does."""
        return subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
            env=dict(self.lab.service.environment),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @contextmanager
    def crowd(self, *people: Person) -> Iterator[Crowd]:
        """Let the people use the platform from many threads while a block runs."""
        with Crowd(self.lab.ask, people) as crowd:
            yield crowd


@contextmanager
def open_nodes(prod_like: Laboratory, database: Cluster) -> Iterator[Nodes]:
    """Start both nodes in the network of another laboratory."""
    settings = {
        "LATCHKEY_SCOPE": SCOPE_MAX,
        "LATCHKEY_SCOPE_MAX": SCOPE_MAX,
        # A soak asks thousands of times, from one address.
        "LATCHKEY_RATE_LIMIT_LOGIN_PER_ADDRESS": "100000/minute",
        "LATCHKEY_RATE_LIMIT_LOGIN_PER_HOST": "100000/minute",
        "LATCHKEY_RATE_LIMIT_XRPC_PER_SESSION": "100000/minute",
    }
    options = {"database_url": database.url, "settings": settings}
    first, _ = (
        start_node(prod_like.network, node, ahead=ahead, **options)  # type: ignore[arg-type]
        for node, ahead in zip(NODE_NAMES, (0.0, AHEAD), strict=True)
    )
    yield Nodes(prod_like.beside(first), database)
