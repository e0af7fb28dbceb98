"""Other processes that use one session: the same database, the same hosts, one client.

The hosts live in the test's own process and answer through a switchboard; a process
brings its own clock, its own caches and its own `OAuthClient`. A module of its own, for
new processes to import.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Client, Listener
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.atproto.crypto.keys import SigningKey
from app.atproto.http.types import Deadline
from app.stores.encryption import Cipher
from app.stores.people.oauth_sessions import SqlSessionStore
from app.stores.sql import postgresql
from app.stores.sql.database import open_database
from tests.atproto.wired import Library
from tests.fakes.clock import FakeClock
from tests.fakes.directory import FakeDns
from tests.fakes.network import FakeNetwork
from tests.stores.racers import SECRET_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from app.atproto.records import OAuthSession
    from app.atproto.syntax.grammar import Did
    from app.stores.sql.database import Database
    from tests.fakes.network import Answer, Sent
    from tests.fakes.world import World

    Step = Callable[[str], None]

TIMEOUT = 60.0
THREADS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Where another process sits down: everything it needs to know, to be pickled."""

    database_url: str
    switchboard: str
    now: float
    client_key: dict[str, Any]
    did: Did
    session_id: str

    def at(self, now: float) -> Seat:
        return replace(self, now=now)


# --- in the test's process ------------------------------------------------------------


@contextmanager
def switchboard(world: World) -> Iterator[str]:
    """Let other processes reach the hosts of this world; yield where to call."""
    with tempfile.TemporaryDirectory(prefix="latchkey-") as folder:
        address = str(Path(folder) / "switchboard")
        with Listener(address, backlog=64) as listener, ThreadPoolExecutor(32) as pool:
            ends = threading.Event()
            pool.submit(_answer_calls, listener, world.network, pool, ends)
            yield address
            ends.set()
            Client(address).close()  # the last call: accept returns


def _answer_calls(
    listener: Listener, network: FakeNetwork, pool: ThreadPoolExecutor, ends: Any
) -> None:
    while True:
        line = listener.accept()
        if ends.is_set():
            line.close()
            return
        pool.submit(_answer, line, network)


def _answer(line: Any, network: FakeNetwork) -> None:
    with line:
        sent, timeout = line.recv()
        answer = network.deliver(sent, timeout=timeout)
        with suppress(BrokenPipeError):  # the other end may have gone
            line.send(answer)


def killed_at(step: str, seat: Seat) -> bool:
    """Refresh in another process, which is killed at this step; false if it was not."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=_refresh_until, args=(step, seat))
    process.start()
    process.join(TIMEOUT)
    process.kill()
    process.join(TIMEOUT)
    return process.exitcode == -signal.SIGKILL


# --- in the other process -------------------------------------------------------------


class FarNetwork(FakeNetwork):
    """The hosts of another process."""

    def __init__(self, clock: FakeClock, address: str, step: Step) -> None:
        super().__init__(clock)
        self._address = address
        self._step = step

    def deliver(self, sent: Sent, *, timeout: float) -> Answer:
        name = f"{sent.method} {sent.path.rpartition('/')[2].partition(':')[0]}"
        self._step(f"before {name}")
        with Client(self._address) as line:
            line.send((sent, timeout))
            answer: Answer = line.recv()
        self._step(f"after {name}")
        return answer


class SteppingStore(SqlSessionStore):
    """The store of the service, which says what it is about to do and has done."""

    def __init__(self, database: Database, step: Step) -> None:
        super().__init__(database, Cipher(SECRET_KEY))
        self._step = step

    def lease(self, *args: Any, **kwargs: Any) -> OAuthSession | None:
        return self._stepping("lease", super().lease, *args, **kwargs)

    def replace(self, *args: Any, **kwargs: Any) -> bool:
        return self._stepping("replace", super().replace, *args, **kwargs)

    def _stepping(self, name: str, act: Any, *args: Any, **kwargs: Any) -> Any:
        self._step(f"before {name}")
        done = act(*args, **kwargs)
        self._step(f"after {name}")
        return done


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """As much of a world as a library needs."""

    clock: FakeClock
    network: FarNetwork
    dns: FakeDns


def library_at(
    seat: Seat, database: Database, step: Step = lambda _name: None
) -> Library:
    """Return the same client as everywhere, with clock, caches and store of its own."""
    clock = FakeClock(seat.now)
    network = FarNetwork(clock, seat.switchboard, step)
    surroundings: Any = _Surroundings(clock, network, FakeDns())
    store: Any = SteppingStore(database, step)
    library = Library(surroundings, sessions=store)
    library.keys[:] = [SigningKey.from_jwk(seat.client_key)]
    return library


def _refresh_until(step: str, seat: Seat) -> None:
    def kill_here(name: str) -> None:
        if name == step:
            os.kill(os.getpid(), signal.SIGKILL)

    postgresql.NOW = ":now"  # the clock of the test, in this process too
    library = library_at(seat, open_database(seat.database_url), kill_here)
    live = library.client.restore(seat.did, seat.session_id)
    live.refreshing.current(seat.did, seat.session_id, deadline=Deadline.after(TIMEOUT))


def refresh_in_threads(database: Database, seat: Seat) -> list[str]:
    """Ask for the session in several threads at once; return the tokens they got."""
    library = library_at(seat, database)
    library.sleep = time.sleep
    live = library.client.restore(seat.did, seat.session_id)
    together = threading.Barrier(THREADS)

    def ask(_: int) -> str:
        together.wait(TIMEOUT)
        deadline = Deadline.after(TIMEOUT)
        return live.refreshing.current(
            seat.did, seat.session_id, deadline=deadline
        ).access_token

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(ask, range(THREADS)))
