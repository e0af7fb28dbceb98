"""The token endpoint's transactions in other processes, which race or are killed.

A module of its own, for new processes to import.
"""

from __future__ import annotations

import multiprocessing
import os
import secrets
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from app.flows.provider.authorization.codes import RedeemCode
from app.flows.provider.grants.records import GrantLifetimes
from app.flows.provider.tokens.issue import IssuedTokens, StoreTokens
from app.flows.provider.tokens.requests import ProgramRefused
from app.stores.people.audit import SqlAudit
from app.stores.provider.codes import SqlCodes
from app.stores.provider.grants import SqlGrants
from app.stores.provider.tokens import SqlAccessTokens
from app.stores.sql.database import Database, open_database
from tests.fakes.clock import FakeClock
from tests.stores.racers import TIMEOUT
from tests.stores.samples import ALICE, access_token, app_grant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Step = Callable[[str], None]

THREADS = 4
LIFETIMES = GrantLifetimes(longest=90 * 86_400, idle=30 * 86_400)
CLIENT = {"client_id": "app", "redirect_uri": "https://a.test/cb", "verifier": None}


class Stepping:
    """A store that says what it is about to do and has done."""

    def __init__(self, store: Any, step: Step) -> None:
        self._store = store
        self._step = step

    def __getattr__(self, name: str) -> Any:
        act = getattr(self._store, name)

        def stepping(*args: Any, **options: Any) -> Any:
            self._step(f"before {name}")
            done = act(*args, **options)
            self._step(f"after {name}")
            return done

        return stepping


def transactions(database: Database, step: Step = lambda _name: None) -> StoreTokens:
    """Return what the token endpoint stores with, over this database."""
    clock = FakeClock()

    @contextmanager
    def together() -> Iterator[None]:
        with database.together():
            yield
            step("before commit")
        step("after commit")

    stores: list[Any] = [
        Stepping(one(database), step) for one in (SqlCodes, SqlGrants, SqlAccessTokens)
    ]
    codes, grants, tokens = stores
    return StoreTokens(
        redeem=RedeemCode(codes=codes, clock=clock),
        grants=grants,
        tokens=tokens,
        together=together,
        lifetimes=LIFETIMES,
        audit=SqlAudit(database),
        clock=clock,
    )


def exchange(database: Database, given: tuple[str, str]) -> str | None:
    """Exchange a code for an access token and a refresh token; None if refused."""
    code, secret = given
    return _exchanged(transactions(database), code, secret)


def refresh(database: Database, token: str) -> list[str | None]:
    """Refresh in several threads at once; return the successors."""
    storing, barrier = transactions(database), threading.Barrier(THREADS)

    def ask(_: int) -> str | None:
        barrier.wait(TIMEOUT)
        return _refreshed(storing, token, secrets.token_urlsafe(16))

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(ask, range(THREADS)))


def refresh_or_remove(database: Database, token: str | None) -> list[str | None]:
    """Refresh in several threads; without a token, remove the app of the person."""
    if token is not None:
        return refresh(database, token)
    SqlGrants(database).end_all(did=ALICE, client_id="app")
    return []


def killed_at(step: str, act: str, url: str, given: str) -> bool:
    """Exchange or refresh in a process that is killed at this step."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=_act_until, args=(step, act, url, given))
    process.start()
    process.join(TIMEOUT)
    process.kill()
    process.join(TIMEOUT)
    return process.exitcode == -signal.SIGKILL


def _act_until(step: str, act: str, url: str, given: str) -> None:
    def kill_here(name: str) -> None:
        if name == step:
            os.kill(os.getpid(), signal.SIGKILL)

    storing = transactions(open_database(url), kill_here)
    {"exchange": _exchanged, "refresh": _refreshed}[act](storing, given, "lost")


def _exchanged(storing: StoreTokens, code: str, secret: str) -> str | None:
    issued: IssuedTokens = _issued(secret)
    try:
        return storing.of_code(issued, code, **CLIENT, refreshes=True)  # type: ignore[arg-type]
    except ProgramRefused:
        return None


def _refreshed(storing: StoreTokens, token: str, secret: str) -> str | None:
    try:
        return storing.of_refresh(_issued(secret), token)
    except ProgramRefused:
        return None


def _issued(secret: str) -> IssuedTokens:
    return IssuedTokens(
        grant=app_grant(), secret=secret, access=access_token(), body={}
    )
