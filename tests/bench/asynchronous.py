"""The asynchronous client: many calls at once on slow hosts, and the event loop.

Calls to a PDS that answers late, one alone and many at once, in one run. The ratio says
how much longer many take than one: 1.0 when none waits for another. A ticking task
notes for how long the event loop did not run, and what this process computed meanwhile:
the rest of a wait is the machine's, which others use, too.
"""

from __future__ import annotations

import gc
import logging
import statistics
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import anyio

from app.atproto.aio import AsyncOAuthClient
from app.atproto.http.types import Deadline
from app.atproto.syntax.identifier import parse_identifier

from .client import HOME, Latchkey, Library, identifiers
from .hosts import Hosts, open_hosts

if TYPE_CHECKING:
    from app.atproto.aio import AsyncLiveSession

CALLS = 200
DELAY = 2.0
ROUNDS = 3
TICK = 0.001
GET_SESSION = "/xrpc/com.atproto.server.getSession"


@dataclass(slots=True)
class Ticker:
    """A task that runs every millisecond, and how late it was."""

    late: list[float] = field(default_factory=list)
    computed: list[float] = field(default_factory=list)
    """CPU seconds of all threads of this process, in each of the waits."""

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            before, used = time.monotonic(), time.process_time()
            await anyio.sleep(TICK)
            self.late.append(time.monotonic() - before - TICK)
            self.computed.append(time.process_time() - used)


def measure_asynchronous(
    *, calls: int = CALLS, delay: float = DELAY, rounds: int = ROUNDS
) -> None:
    """Print what many awaited calls take, in times of one call."""
    with tempfile.TemporaryDirectory(prefix="latchkey-bench-") as name:
        directory = Path(name)
        metadata = Latchkey(directory).metadata()
        with (
            open_hosts(directory, metadata) as hosts,
            closing(Latchkey(directory, hosts.opened)) as latchkey,
        ):
            logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
            client = AsyncOAuthClient(Library(latchkey).client)
            anyio.run(_measure, client, hosts, calls, delay, rounds)


async def _measure(
    client: AsyncOAuthClient, hosts: Hosts, calls: int, delay: float, rounds: int
) -> None:
    print(f"\n{calls} awaited calls on a PDS that answers after {delay} s, in rounds\n")
    print(f"{'one, s':>8}{'all, s':>8}{'ratio':>8}  the event loop waited, ms")
    gc.collect()
    gc.freeze()  # the service that this process has loaded is not what is measured
    async with client:
        live = await _signed_in(client, hosts)
        await _at_once(live, calls)  # connections and nonces
        hosts("pace", request=delay, connection=0.0)
        for _ in range(rounds):
            one, _ = await _at_once(live, 1)
            many, ticker = await _at_once(live, calls)
            print(f"{one:>8.2f}{many:>8.2f}{many / one:>8.2f}  {_spread(ticker)}")
        print(f"\nthe same ticks with nothing to do: {_spread(await _idle(delay))}")


def _spread(ticker: Ticker) -> str:
    late, computed = ticker.late, max(ticker.computed, default=0.0)
    cuts = statistics.quantiles(late, n=100) if len(late) > 1 else [0.0] * 99
    return (
        f"median {cuts[49] * 1000:.1f}, p99 {cuts[98] * 1000:.1f},"
        f" most {max(late, default=0.0) * 1000:.1f}; computed {computed * 1000:.1f}"
    )


async def _idle(seconds: float) -> Ticker:
    """Return what the ticker notes on this machine without any call."""
    ticker = Ticker()
    with anyio.move_on_after(seconds):
        await ticker.run()
    return ticker


async def _at_once(live: AsyncLiveSession, calls: int) -> tuple[float, Ticker]:
    """Return the seconds of so many calls at once, and what the ticker noted."""

    async def call() -> None:
        await live.request("GET", GET_SESSION, deadline=Deadline.after(60))

    ticker = Ticker()
    began = time.monotonic()
    async with anyio.create_task_group() as around:
        around.start_soon(ticker.run)
        async with anyio.create_task_group() as tasks:
            for _ in range(calls):
                tasks.start_soon(call)
        around.cancel_scope.cancel()
    return time.monotonic() - began, ticker


async def _signed_in(client: AsyncOAuthClient, hosts: Hosts) -> AsyncLiveSession:
    handle = next(identifiers("person"))
    hosts("settle", handle=handle, by="txt")
    begun = await client.authorize(
        parse_identifier(handle),
        scope="atproto",
        redirect_uri=f"{HOME}/auth/callback",
        deadline=Deadline.after(9),
    )
    query = parse_qsl(urlsplit(hosts("approve", url=begun.url)).query)
    done = await client.callback(query, deadline=Deadline.after(9))
    return await client.restore(done.session.did, done.session.session_id)
