"""Cancelled calls of the asynchronous client: no lease, no lost token, no orphan."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from app.atproto.errors import RefreshBusy, StateUnknown
from tests.fakes import faults
from tests.fakes.pds import GET_SESSION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from app.atproto.aio import AsyncOAuthClient
    from tests.atproto.aio.wired import AsyncLibrary
    from tests.fakes.network import FakeNetwork

ALICE = "alice.skyhost.social"
TOKEN = "https://as.skyhost.social/oauth/token"
SESSION = f"https://pds.skyhost.social{GET_SESSION}"


@asynccontextmanager
async def cancelled_when_asked(
    network: FakeNetwork, url: str, call: Callable[[], Coroutine[Any, Any, Any]]
) -> AsyncIterator[None]:
    """Cancel a call while its host has the request; the host answers afterwards."""
    holds = faults.Holds()
    network.lay(url, holds, times=1)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            await anyio.to_thread.run_sync(holds.asked.wait, 30)
            tasks.cancel_scope.cancel()
        yield
    finally:
        holds.released.set()


def test_cancelled_refresh_is_finished_and_stored(
    library: AsyncLibrary, network: FakeNetwork
) -> None:
    """Requirement 7.10: the answer has the only copy of the new refresh token."""

    async def job(client: AsyncOAuthClient) -> None:
        live = await library.signs_in(client, ALICE)
        library.world.clock.advance(60)
        network.forget()

        async def ask() -> None:
            await live.request("GET", GET_SESSION, deadline=library.deadline(100))

        async with cancelled_when_asked(network, TOKEN, ask):
            pass
        await ask()

        assert len(network.sent(path="/oauth/token")) == 1
        grant = library.world.skyhost.server.grants.all[-1]
        stored = library.sessions.get(live.did, live.session_id)
        assert grant.alive
        assert stored is not None
        assert stored.refresh_token == grant.refresh_token
        assert not library.sessions._leases

    library.runs(job)


def test_closing_the_client_waits_for_a_refresh_without_a_caller(
    library: AsyncLibrary, network: FakeNetwork
) -> None:
    """Its caller has reached a deadline; the refresh has a thread of its own."""
    holds = faults.Holds()

    async def main() -> None:
        async with library.opens() as client:
            live = await library.signs_in(client, ALICE)
            library.world.clock.advance(60)
            network.lay(TOKEN, holds, times=1)
            # Of the plain session: a call could reach it before it has a thread.
            give_up = partial(live.plain.refresh, deadline=library.deadline(0.01))
            with pytest.raises(RefreshBusy):
                await anyio.to_thread.run_sync(give_up)
            assert await anyio.to_thread.run_sync(holds.asked.wait, 30)
            asyncio.get_running_loop().call_soon(holds.released.set)

    anyio.run(main)

    (session,) = library.sessions._sessions.values()
    grant = library.world.skyhost.server.grants.all[-1]
    assert session.refresh_token == grant.refresh_token
    assert not library.sessions._leases


def test_cancelled_block_of_the_client_loses_no_token(
    library: AsyncLibrary, network: FakeNetwork
) -> None:
    """The tasks of asynchronous stores are not cancelled with their surroundings."""
    holds = faults.Holds()

    async def main() -> None:
        with anyio.CancelScope() as everything:
            async with library.opens() as client:
                live = await library.signs_in(client, ALICE)
                library.world.clock.advance(60)
                network.lay(TOKEN, holds, times=1)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(refresh, live)
                    await anyio.to_thread.run_sync(holds.asked.wait, 30)
                    everything.cancel()
                    holds.released.set()

    async def refresh(live: Any) -> None:
        await live.refresh(deadline=library.deadline(100))

    anyio.run(main)

    (session,) = library.sessions._sessions.values()
    grant = library.world.skyhost.server.grants.all[-1]
    assert session.refresh_token == grant.refresh_token
    assert not library.sessions._leases


def test_cancelled_callback_revokes_the_session_that_it_brings(
    library: AsyncLibrary, network: FakeNetwork
) -> None:
    async def main() -> None:
        async with library.opens() as client:
            url = await library.approves(client, ALICE)

            async def answer() -> None:
                await library.answers(client, url)

            async with cancelled_when_asked(network, TOKEN, answer):
                pass
            with pytest.raises(StateUnknown):
                await library.answers(client, url)

    anyio.run(main)

    assert network.sent(path="/oauth/token")
    assert library.nothing_lives()


def sets_at_the_end_of_a_call(client: AsyncOAuthClient, ended: threading.Event) -> None:
    """Set the event when a call has its value, before its task is told."""
    tell = client._workers._tell

    def end_then_tell(done: anyio.Event) -> None:
        ended.set()
        tell(done)

    client._workers._tell = end_then_tell  # type: ignore[method-assign]


def test_callback_cancelled_at_its_very_end_revokes_its_session(
    library: AsyncLibrary,
) -> None:
    """Its value is there, and its task is cancelled before it wakes."""
    ended = threading.Event()

    async def main() -> None:
        async with library.opens() as client:
            url = await library.approves(client, ALICE)
            sets_at_the_end_of_a_call(client, ended)
            task = asyncio.create_task(library.answers(client, url))
            while not ended.is_set():
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())

    assert library.nothing_lives()


def test_callback_cancelled_at_its_end_while_the_client_closes_revokes_its_session(
    library: AsyncLibrary, network: FakeNetwork
) -> None:
    """Its value is there, and its task is cancelled before it wakes."""
    holds = faults.Holds()
    ended = threading.Event()

    async def end_late(client: AsyncOAuthClient, task: asyncio.Task[Any]) -> None:
        while not client._workers._scope.shield:  # until the client closes
            await asyncio.sleep(0)
        await asyncio.sleep(0.1)  # it waits for the call by now
        holds.released.set()
        while not ended.is_set():
            await asyncio.sleep(0)
        task.cancel()

    async def main() -> None:
        async with library.opens() as client:
            url = await library.approves(client, ALICE)
            network.lay(TOKEN, holds, times=1)
            sets_at_the_end_of_a_call(client, ended)
            task = asyncio.create_task(library.answers(client, url))
            await anyio.to_thread.run_sync(holds.asked.wait, 30)
            ending = asyncio.create_task(end_late(client, task))
        await ending
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert library.nothing_lives()


def test_cancelled_call_that_waits_for_a_thread_never_begins(
    library: AsyncLibrary, network: FakeNetwork
) -> None:
    holds = faults.Holds()

    async def job(client: AsyncOAuthClient) -> None:
        live = await library.signs_in(client, ALICE)
        network.lay(SESSION, holds, times=1)
        network.forget()

        async def ask() -> None:
            await live.request("GET", GET_SESSION, deadline=library.deadline(100))

        async with anyio.create_task_group() as first:
            first.start_soon(ask)
            await anyio.to_thread.run_sync(holds.asked.wait, 30)
            async with anyio.create_task_group() as second:
                second.start_soon(ask)
                await anyio.lowlevel.checkpoint()
                second.cancel_scope.cancel()
            holds.released.set()

    library.runs(job, threads=1)

    assert len(network.sent(path=GET_SESSION)) == 1


def test_thread_of_a_cancelled_call_counts_until_it_ends(
    library: AsyncLibrary, network: FakeNetwork
) -> None:
    """Otherwise cancelled calls to a slow host would be threads without a bound."""

    async def job(client: AsyncOAuthClient) -> None:
        live = await library.signs_in(client, ALICE)

        async def ask() -> None:
            await live.request("GET", GET_SESSION, deadline=library.deadline(100))

        async with cancelled_when_asked(network, SESSION, ask):
            with anyio.move_on_after(0.02):
                await ask()
            network.forget()
        await ask()

        assert len(network.sent(path=GET_SESSION)) == 1

    library.runs(job, threads=1)
