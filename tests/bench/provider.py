"""What signing in to an app costs, beside npm `oidc-provider` on its memory adapter.

Both serve one client and one person, who is signed in and has consented: authorize,
code exchange with an RS256 id_token, refresh with rotation, userinfo, introspection.
Ours is gunicorn as it is shipped with one worker, on durable SQLite. Each figure is our
CPU time divided by theirs, in the same run and in turns. What programs only read is
measured beside a Flask hello as well.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from itertools import repeat
from pathlib import Path
from typing import Any

from app.factory.web import create_app
from app.web.cookies import SESSION
from tests.serving.apps import People
from tests.serving.server import Server, serving

from .connections import Measured
from .oidc_provider import ENDPOINTS, is_installed, oidc_provider
from .relying import REDIRECT_URI, Relying
from .verifying import SECRET, Member, Size, cost

STEPS = ("authorize", "exchange", "refresh", "userinfo", "introspect")
GRANTS = 16
"""Sign-ins of one round: a person has at most 20 grants of an app."""

FULL = Size(requests=6, repetitions=5)  # rounds
ONE_STEP = Size(requests=1, repetitions=1)


def measure_provider(size: Size = FULL) -> None:
    """Print what each step costs, in CPU of `oidc-provider` and of a Flask hello."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        ours = _ours(Path(name), stack)
        _print(
            "Requests for a second of CPU, by those of a Flask hello:",
            _read(ours, _hello(Path(name), stack), size),
        )
        theirs = _theirs(Path(name), stack)
        if theirs is None:
            print("no comparison: `npm ci` in tests/bench installs oidc-provider")
            return
        _print(
            "CPU of a sign-in to an app, by that of npm oidc-provider in memory:",
            _compare(ours, theirs, size),
        )


def _read(ours: Relying, hello: Measured, size: Size) -> dict[str, list[float]]:
    """Return how much more a hello costs than what programs read."""
    token = ours.exchange(ours.authorize())["access_token"]
    paths = {
        "discovery": "/.well-known/openid-configuration",
        "JWKS": "/.well-known/jwks.json",
        "userinfo, token seen before": OURS["userinfo"],
    }
    ratios: dict[str, list[float]] = {kind: [] for kind in paths}
    rounds = GRANTS * size.requests
    for _ in range(size.repetitions):
        neighbour = cost(hello, repeat(_get("/hello", token)), rounds).cpu
        for kind, path in paths.items():
            each = cost(ours.provider, repeat(_get(path, token)), rounds).cpu
            ratios[kind].append(neighbour / each)
    return ratios


def _compare(ours: Relying, theirs: Relying, size: Size) -> dict[str, list[float]]:
    for each in (ours, theirs):
        _spent(each, 1)  # the first of all compiles and connects
    ratios: dict[str, list[float]] = {step: [] for step in STEPS}
    for _ in range(size.repetitions):
        there, here = _spent(theirs, size.requests), _spent(ours, size.requests)
        for step in STEPS:
            ratios[step].append(here[step] / there[step])
    return ratios


def _get(path: str, token: str) -> bytes:
    bearer = f"Authorization: Bearer {token}\r\n"
    return f"GET {path} HTTP/1.1\r\nHost: latchkey\r\n{bearer}\r\n".encode()


def _print(title: str, ratios: dict[str, list[float]]) -> None:
    print(title)
    for kind, each in ratios.items():
        middle, least, most = statistics.median(each), min(each), max(each)
        print(f"  {kind:34} {middle:.2f}  ({least:.2f} to {most:.2f})")


UNLIMITED = {"LATCHKEY_RATE_LIMIT_AUTHORIZE_PER_ADDRESS": "100000/minute"}
OURS = {
    "authorization": "/oauth/authorize",
    "token": "/oauth/token",
    "userinfo": "/oauth/userinfo",
    "introspection": "/oauth/introspect",
    "revocation": "/oauth/revoke",
}


def _ours(folder: Path, stack: ExitStack) -> Relying:
    """Serve a platform with one member and one app, which the member has allowed."""
    people = People(folder)
    Member(people)
    added = _add_client(people)
    server = stack.enter_context(
        serving("wsgi:app", folder, **people.environment, **UNLIMITED)
    )
    client = added["client_id"], added["client_secret"]
    relying = Relying(server, *client, OURS, {SESSION: SECRET})
    stack.callback(relying.close)
    return relying


def _add_client(people: People) -> dict[str, str]:
    runner = create_app(people.settings).test_cli_runner()
    register = ["clients", "add", "bench", "--redirect-uri", REDIRECT_URI]
    result = runner.invoke(args=[*register, "--allow", "everyone", "--json"])
    added: dict[str, str] = json.loads(result.stdout)
    return added


def _hello(folder: Path, stack: ExitStack) -> Server:
    own = folder / "hello"
    own.mkdir()
    server = stack.enter_context(serving("tests.bench.hello:app", own))
    server.get("/")  # the worker is there
    return server


def _theirs(folder: Path, stack: ExitStack) -> Relying | None:
    if not is_installed():
        return None
    client = {"CLIENT_ID": "bench", "CLIENT_SECRET": "bench" * 10}
    variables = {**client, "REDIRECT_URI": REDIRECT_URI}
    provider = stack.enter_context(oidc_provider(folder, variables))
    relying = Relying(provider, *client.values(), ENDPOINTS)
    stack.callback(relying.close)
    return relying


def _spent(relying: Relying, rounds: int) -> dict[str, float]:
    """Return the CPU seconds of each step, one kind after another in each round."""
    spent = dict.fromkeys(STEPS, 0.0)
    relying.close()

    def count(step: str, act: Callable[[Any], Any], given: list[Any]) -> list[Any]:
        before = relying.provider.cpu_seconds()
        got = [act(one) for one in given]
        spent[step] += relying.provider.cpu_seconds() - before
        return got

    for _ in range(rounds):
        codes = count("authorize", lambda _: relying.authorize(), [None] * GRANTS)
        tokens = count("exchange", relying.exchange, codes)
        tokens = count("refresh", relying.refresh, tokens)
        count("userinfo", relying.userinfo, tokens)
        count("introspect", relying.introspect, tokens)
        relying.end(tokens)
    return spent
