"""The asynchronous client: logins, requests, refresh and revocation, awaited."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import anyio
import pytest

from app.atproto.aio import AsyncOAuthClient
from app.atproto.aio.workers import Workers
from app.atproto.errors import (
    AccountNotFound,
    BrowserMismatch,
    ClientBusy,
    SessionEnded,
    StateUnknown,
)
from tests.fakes import faults
from tests.fakes.pds import GET_SESSION

if TYPE_CHECKING:
    from tests.atproto.aio.wired import AsyncLibrary
    from tests.fakes.network import FakeNetwork

ALICE = "alice.skyhost.social"
PDS = "https://pds.skyhost.social"
TOKEN = "/oauth/token"


def test_login_request_and_revoke_leave_nothing_behind(library: AsyncLibrary) -> None:
    async def job(client: AsyncOAuthClient) -> None:
        live = await library.signs_in(client, ALICE)
        answer = await live.request("GET", GET_SESSION, deadline=library.deadline())
        assert answer.status == 200
        assert answer.json_object()["did"] == live.did
        assert live.handle == ALICE
        assert await client.verified_handle(live.did, deadline=library.deadline())

        ended = await client.revoke(
            live.did, live.session_id, deadline=library.deadline()
        )

        assert ended is not None
        assert ended.is_asked
        with pytest.raises(SessionEnded):
            await client.restore(live.did, live.session_id)

    library.runs(job)

    assert library.nothing_lives()


def test_methods_of_an_asynchronous_store_run_in_the_event_loop(
    library: AsyncLibrary,
) -> None:
    loop = set()

    async def job(client: AsyncOAuthClient) -> None:
        loop.add(threading.get_ident())
        live = await library.signs_in(client, ALICE)
        await live.refresh(deadline=library.deadline())

    library.runs(job)

    assert library.stores.threads == (loop if library.asynchronous else set())


def test_twenty_tasks_with_a_due_token_send_one_refresh(
    library: AsyncLibrary, network: FakeNetwork
) -> None:
    """Requirement 7.6."""

    async def job(client: AsyncOAuthClient) -> None:
        live = await library.signs_in(client, ALICE)
        library.world.clock.advance(60)
        network.forget()

        async def ask() -> None:
            await live.request("GET", GET_SESSION, deadline=library.deadline())

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(ask)

        assert len(network.sent(path=TOKEN)) == 1

    library.runs(job)


def test_refresh_returns_the_stored_session(library: AsyncLibrary) -> None:
    async def job(client: AsyncOAuthClient) -> None:
        live = await library.signs_in(client, ALICE)

        renewed = await client.refresh(
            live.did, live.session_id, deadline=library.deadline()
        )

        assert library.sessions.get(live.did, live.session_id) == renewed

    library.runs(job)


def test_errors_are_those_of_the_plain_client(library: AsyncLibrary) -> None:
    async def job(client: AsyncOAuthClient) -> None:
        with pytest.raises(AccountNotFound):
            await library.approves(client, "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")
        url = await library.approves(client, ALICE)
        with pytest.raises(BrowserMismatch):
            await client.callback(
                [("state", library.states.last.state), ("iss", "x"), ("code", "c")],
                browser_secrets=("another browser's",),
                deadline=library.deadline(),
            )
        await library.answers(client, url)
        with pytest.raises(StateUnknown):
            await library.answers(client, url)

    library.runs(job)


def test_call_that_finds_no_thread_before_its_deadline_raises_client_busy(
    library: AsyncLibrary, network: FakeNetwork
) -> None:
    holds = faults.Holds()

    async def job(client: AsyncOAuthClient) -> None:
        live = await library.signs_in(client, ALICE)
        network.lay(f"{PDS}{GET_SESSION}", holds, times=1)
        network.forget()

        async def first() -> None:
            await live.request("GET", GET_SESSION, deadline=library.deadline())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(first)
            await anyio.to_thread.run_sync(holds.asked.wait, 30)
            with pytest.raises(ClientBusy):
                await live.request("GET", GET_SESSION, deadline=library.deadline(0))
            holds.released.set()

        assert len(network.sent(path=GET_SESSION)) == 1

    library.runs(job, threads=1)


def test_client_that_is_not_open_refuses_calls(library: AsyncLibrary) -> None:
    async def job() -> None:
        client = library.opens()
        with pytest.raises(RuntimeError, match="open the client first"):
            await library.approves(client, ALICE)
        async with client:
            pass
        with pytest.raises(RuntimeError, match="opened once"):
            await client.__aenter__()

    anyio.run(job)


def test_error_in_the_block_of_the_client_is_raised_as_it_is(
    library: AsyncLibrary,
) -> None:
    async def job(_client: AsyncOAuthClient) -> None:
        raise LookupError("of the application")

    with pytest.raises(LookupError, match="of the application"):
        library.runs(job)


def test_pool_without_threads_raises_value_error() -> None:
    with pytest.raises(ValueError, match="one thread"):
        Workers(threads=0)
