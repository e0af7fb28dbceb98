"""What it costs that services ask who a request is from, beside a Flask hello.

gunicorn as it is shipped with one worker, SQLite, 16 connections that are kept open.
Each figure is requests for one second of the worker's CPU time, divided by those of the
hello on the same server, which is measured before and after each.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from pathlib import Path

from app.atproto.syntax.grammar import Did
from app.factory.container import open_parts
from app.factory.use_cases import open_use_cases
from app.flows.ports import Session, User
from tests.serving.apps import People
from tests.serving.server import Server, serving

from .connections import CONNECTIONS, Measured, connect, get, read_answer
from .logins import measure_logins, open_host, settings_for

DID = Did("did:plc:ewvi7nxzyoun6zhxrhs64oiz")
DAY = 24 * 3600.0
SECRET = "bench"
"""Of the member's session."""


@dataclass(frozen=True)
class Size:
    """How many requests each connection makes, and how often all is repeated."""

    requests: int = 40
    repetitions: int = 11


FULL = Size()
ONE_STEP = Size(requests=1, repetitions=1)


class Member:
    """A signed-in member of a platform, and as many tokens as are wanted."""

    def __init__(self, people: People) -> None:
        self._parts = open_parts(people.settings, None)
        now = time.time()
        self._session = Session(
            sid="bench",
            did=DID,
            handle=None,
            oauth_session_id=None,
            device="bench",
            created_at=now,
            seen_at=now,
            expires_at=now + DAY,
        )
        user = User(
            did=DID,
            handle=None,
            username="bench",
            created_at=now,
            handle_checked_at=now,
        )
        self._parts.stores.users.add(user, skeleton="bench")
        self._parts.stores.sessions.add(self._session, secret=SECRET)
        self._tokens = open_use_cases(self._parts).renew.tokens

    def cookie(self) -> str:
        """Return the cookie with a token that no process has seen."""
        token = self._tokens.issue(self._session).token
        if token is None:
            raise RuntimeError("the member has no account")
        return f"{self._parts.settings.cookie_name}={token}"


@dataclass(frozen=True)
class Cost:
    """What one request took: CPU seconds of the worker, and seconds of all."""

    cpu: float
    time: float


def cost(server: Measured, requests: Iterator[bytes], rounds: int) -> Cost:
    """Return what one request costs.

    Each connection has one request under way, and stays open.
    """
    with ExitStack() as kept:
        connections = [kept.enter_context(connect(server)) for _ in range(CONNECTIONS)]
        before, began = server.cpu_seconds(), time.perf_counter()
        for _ in range(rounds):
            for connection in connections:
                connection.sendall(next(requests))
            for connection in connections:
                read_answer(connection)
        spent = server.cpu_seconds() - before
        took = time.perf_counter() - began
    number = rounds * CONNECTIONS
    return Cost(spent / number, took / number)


def measure_verifying(size: Size = FULL) -> None:
    """Print the figures of section 7 of the platform's contract that need no proxy."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        people = People(Path(name))
        member = Member(people)
        host = stack.enter_context(open_host())
        environment = {**people.environment, **settings_for(host)}
        servers = []
        for application in ("wsgi:app", "tests.bench.hello:app"):
            folder = Path(name) / application.partition(":")[0]
            folder.mkdir()
            server = serving(application, folder, **environment)
            servers.append(stack.enter_context(server))
            servers[-1].get("/")  # the worker is there
        _print(_measure(*servers, member, size))
        measure_logins(
            servers[0],
            host,
            get("/auth/verify", member.cookie()),
            rounds=size.requests,
            repetitions=size.repetitions,
        )


def _measure(
    ours: Server, hello: Server, member: Member, size: Size
) -> dict[str, list[float]]:
    seen = member.cookie()
    ratios: dict[str, list[float]] = {}
    for _ in range(size.repetitions):
        new = [member.cookie() for _ in range(size.requests * CONNECTIONS)]
        kinds: dict[str, Iterator[bytes]] = {
            "/auth/verify, token seen before": repeat(get("/auth/verify", seen)),
            "/auth/verify, token new": map(partial(get, "/auth/verify"), new),
            "/.well-known/jwks.json": repeat(get("/.well-known/jwks.json")),
            "/auth/session": repeat(get("/auth/session", seen)),
        }
        for kind, requests in kinds.items():
            before = cost(hello, repeat(get("/hello")), size.requests).cpu
            each = cost(ours, requests, size.requests).cpu
            after = cost(hello, repeat(get("/hello")), size.requests).cpu
            ratios.setdefault(kind, []).append((before + after) / 2 / each)
    return ratios


def _print(ratios: dict[str, list[float]]) -> None:
    print("Requests for a second of CPU, by those of a Flask hello on the same server:")
    for kind, each in ratios.items():
        middle, least, most = statistics.median(each), min(each), max(each)
        print(f"  {kind:34} {middle:.2f}  ({least:.2f} to {most:.2f})")
