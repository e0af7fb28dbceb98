"""The SDK's AsyncClient on a session of ours: calls and errors of the plain one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from app.atproto.errors import HostUnreachable, ScopeMissing, SessionEnded
from tests.atproto.aio.wired import AsyncLibrary
from tests.fakes import faults
from tests.fakes.pds import GET_SESSION
from tests.late import Late

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from atproto_client import AsyncClient

    from app.atproto.aio import AsyncOAuthClient
    from tests.fakes.network import FakeNetwork
    from tests.fakes.world import World

ALICE = "alice.skyhost.social"
PDS = "https://pds.skyhost.social"
TRACK = "app.relay.track"
SCOPE = f"atproto repo:{TRACK} blob:*/*"

# Importing the SDK takes a second.
adapter = Late("app.atproto.aio.sdk")
sdk_errors = Late("atproto_client.exceptions")


@pytest.fixture
def library(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncLibrary:
    """The library; httpx would be noticed."""

    def leaks(*_: Any, **__: Any) -> None:
        raise AssertionError("httpx was used")

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", leaks)
    return AsyncLibrary(world, asynchronous=True, scope=SCOPE)


def run(
    library: AsyncLibrary,
    job: Callable[[AsyncClient], Awaitable[None]],
    **options: Any,
) -> None:
    async def with_sdk(client: AsyncOAuthClient) -> None:
        live = await library.signs_in(client, ALICE, scope=SCOPE)
        monotonic = library.world.clock.monotonic
        await job(adapter.open_async_sdk_client(live, monotonic=monotonic, **options))

    library.runs(with_sdk)


def test_record_with_a_blob_is_written_listed_and_deleted(
    library: AsyncLibrary, network: FakeNetwork
) -> None:
    async def job(sdk: AsyncClient) -> None:
        network.forget()
        tracks = {"repo": sdk.me.did, "collection": TRACK}
        blob = (await sdk.upload_blob(b"\x00\xff sound")).blob
        record = {"title": "Night train", "sound": blob}
        made = await sdk.com.atproto.repo.create_record({**tracks, "record": record})
        listed = await sdk.com.atproto.repo.list_records(tracks)
        assert [one.uri for one in listed.records] == [made.uri]
        rkey = made.uri.rpartition("/")[2]
        await sdk.com.atproto.repo.delete_record({**tracks, "rkey": rkey})
        await sdk.request.close()

    run(library, job)

    assert library.world.skyhost.pds.records == {}
    for sent in network.sent():
        assert sent.headers["Authorization"].startswith("DPoP ")
        assert sent.headers["User-Agent"].startswith("Latchkey/test")


def test_account_is_known_and_a_clone_has_the_same_session(
    library: AsyncLibrary, network: FakeNetwork
) -> None:
    async def job(sdk: AsyncClient) -> None:
        network.forget()
        assert sdk.me.handle == ALICE
        proxied = sdk.with_proxy("bsky_appview", "did:web:api.bsky.app")
        assert isinstance(proxied.request, adapter.AsyncSessionRequest)

        await proxied.com.atproto.server.get_session()
        await sdk.com.atproto.server.get_session()

        first, second = network.sent(path=GET_SESSION)
        assert first.headers["atproto-proxy"] == "did:web:api.bsky.app#bsky_appview"
        assert "atproto-proxy" not in second.headers

    run(library, job)


def test_missing_permission_and_ended_session_are_our_errors(
    library: AsyncLibrary,
) -> None:
    """Requirement 8.11."""

    async def job(sdk: AsyncClient) -> None:
        with pytest.raises(ScopeMissing) as raised:
            await sdk.com.atproto.repo.create_record(
                {"repo": sdk.me.did, "collection": "app.relay.playlist", "record": {}}
            )
        assert raised.value.scope == "repo:app.relay.playlist?action=create"
        with pytest.raises(sdk_errors.BadRequestError):
            await sdk.com.atproto.repo.get_record(
                {"repo": sdk.me.did, "collection": TRACK, "rkey": "nowhere"}
            )
        library.sessions._sessions.clear()
        with pytest.raises(SessionEnded):
            await sdk.com.atproto.server.get_session()

    run(library, job)


def test_sdk_sign_in_other_hosts_and_credentials_are_refused(
    library: AsyncLibrary, network: FakeNetwork
) -> None:
    async def job(sdk: AsyncClient) -> None:
        network.forget()
        with pytest.raises(sdk_errors.AtProtocolError, match="OAuthClient signs in"):
            await sdk.login(ALICE, "correct horse")
        with pytest.raises(sdk_errors.AtProtocolError, match="no tokens"):
            await sdk.com.atproto.server.get_session(
                headers={"Authorization": "Bearer x"}
            )
        sdk.update_base_url("https://api.elsewhere.social")
        with pytest.raises(sdk_errors.AtProtocolError, match="no other host"):
            await sdk.com.atproto.server.get_session()
        assert network.sent() == []

    run(library, job)


def test_timeout_of_a_call_limits_it(
    library: AsyncLibrary, network: FakeNetwork
) -> None:
    async def job(sdk: AsyncClient) -> None:
        network.lay(f"{PDS}{GET_SESSION}", faults.Waits(library.world.clock, 20.0))
        assert (await sdk.com.atproto.server.get_session()).did
        with pytest.raises(HostUnreachable):
            await sdk.com.atproto.server.get_session(timeout=15.0)

    run(library, job)
