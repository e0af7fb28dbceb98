"""POST /auth/native/refresh in another process, which is killed at a named step.

A module of its own, for new processes to import.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from app.flows.native.refresh import RefreshApp
from app.flows.sessions.logout import EndSession
from app.flows.sessions.session import IssueToken
from app.stores.people.refresh_chains import SqlRefreshChains
from app.stores.people.sessions import SqlSessions
from app.stores.people.users import SqlUsers
from app.stores.sql.database import Database, open_database
from tests.fakes.clock import FakeClock
from tests.flows.memory import FakeClient, FakeIssuer, MemoryAudit, NoLimit
from tests.stores.racers import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Step = Callable[[str], None]

STEPS = (
    "before read",
    "after read",
    "before write",
    "before commit",
    "after commit",
    "before answer",
)


class SteppingDatabase:
    """A database that says which of its transactions it is in."""

    def __init__(self, database: Database, step: Step) -> None:
        self._database = database
        self._step = step

    @contextmanager
    def quick_read(self) -> Iterator[Any]:
        self._step("before read")
        with self._database.quick_read() as connection:
            yield connection
        self._step("after read")

    @contextmanager
    def write(self) -> Iterator[Any]:
        self._step("before write")
        with self._database.write() as connection:
            yield connection
            self._step("before commit")
        self._step("after commit")


class SteppingIssuer(FakeIssuer):
    """Makes the answer's token, the last thing that a refresh does."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def issue(self, **claims: Any) -> Any:
        self._step("before answer")
        return super().issue(**claims)


def refreshing(
    database: Database, clock: FakeClock, step: Step = lambda _name: None
) -> RefreshApp:
    """Return the use case over this database."""
    stepping: Any = SteppingDatabase(database, step)
    sessions, outside = SqlSessions(database, clock), FakeClient()
    issuer: Any = SteppingIssuer(step)
    client: Any = outside
    limits: Any = NoLimit()
    audit: Any = MemoryAudit()
    return RefreshApp(
        chains=SqlRefreshChains(stepping, clock),
        sessions=sessions,
        tokens=IssueToken(users=SqlUsers(database), issuer=issuer),
        ending=EndSession(client=client, sessions=sessions, audit=audit, clock=clock),
        rates=limits,
        token_lifetime=3600,
        clock=clock,
    )


def killed_at(step: str, url: str, token: str) -> bool:
    """Refresh in a process that is killed at this step; false if it was not."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=_refresh_until, args=(step, url, token))
    process.start()
    process.join(TIMEOUT)
    process.kill()
    process.join(TIMEOUT)
    return process.exitcode == -signal.SIGKILL


def _refresh_until(step: str, url: str, token: str) -> None:
    def kill_here(name: str) -> None:
        if name == step:
            os.kill(os.getpid(), signal.SIGKILL)

    refreshing(open_database(url), FakeClock(), kill_here)(token, address="192.0.2.7")
