"""The library behind its asynchronous client, and stores with asynchronous methods."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import anyio
from anyio.lowlevel import checkpoint

from app.atproto.aio import AsyncOAuthClient, open_async_client
from app.atproto.crypto.keys import ClientKeys
from app.atproto.http.client import NetworkPolicy
from app.atproto.stores.memory import MemoryCache, MemorySessionStore, MemoryStateStore
from app.atproto.syntax.identifier import parse_identifier
from tests.atproto.wired import CALLBACK, HOST, SECRET, Library
from tests.fakes.pds import GET_SESSION
from tests.fakes.world import PLC

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.atproto.aio import AsyncLiveSession
    from app.atproto.client import Completed
    from app.atproto.records import AuthRequest, OAuthSession
    from app.atproto.syntax.grammar import Did
    from tests.fakes.world import World


class AsyncStates:
    """Auth requests behind asynchronous methods, each with a switch of tasks."""

    def __init__(self, plain: MemoryStateStore) -> None:
        self._plain = plain

    async def put(self, request: AuthRequest) -> None:
        await checkpoint()
        self._plain.put(request)

    async def get(self, state: str) -> AuthRequest | None:
        await checkpoint()
        return self._plain.get(state)

    async def take(self, state: str) -> AuthRequest | None:
        await checkpoint()
        return self._plain.take(state)


class AsyncSessions:
    """Sessions behind asynchronous methods; they have to run in the event loop."""

    def __init__(self, plain: MemorySessionStore) -> None:
        self._plain = plain
        self.threads: set[int] = set()

    async def put(self, session: OAuthSession) -> None:
        await self._turn()
        self._plain.put(session)

    async def get(self, did: Did, session_id: str) -> OAuthSession | None:
        await self._turn()
        return self._plain.get(did, session_id)

    async def delete(self, did: Did, session_id: str) -> OAuthSession | None:
        await self._turn()
        return self._plain.delete(did, session_id)

    async def lease(
        self, did: Did, session_id: str, *, holder: str, until: float, now: float
    ) -> OAuthSession | None:
        await self._turn()
        return self._plain.lease(did, session_id, holder=holder, until=until, now=now)

    async def replace(self, session: OAuthSession, *, holder: str) -> bool:
        await self._turn()
        return self._plain.replace(session, holder=holder)

    async def release(self, did: Did, session_id: str, *, holder: str) -> None:
        await self._turn()
        self._plain.release(did, session_id, holder=holder)

    async def _turn(self) -> None:
        self.threads.add(threading.get_ident())
        await checkpoint()


class AsyncCached:
    """A cache behind asynchronous methods."""

    def __init__(self, plain: MemoryCache[str]) -> None:
        self._plain = plain

    async def get(self, key: str) -> str | None:
        await checkpoint()
        return self._plain.get(key)

    async def put(self, key: str, value: str, *, lifetime: float) -> None:
        await checkpoint()
        self._plain.put(key, value, lifetime=lifetime)

    async def delete(self, key: str) -> None:
        await checkpoint()
        self._plain.delete(key)


class AsyncLibrary(Library):
    """The library on the fake network, and an asynchronous client with its stores."""

    def __init__(self, world: World, *, asynchronous: bool, **options: Any) -> None:
        super().__init__(world, **options)
        self.asynchronous = asynchronous
        self.stores = AsyncSessions(self.sessions)

    def opens(self, **options: Any) -> AsyncOAuthClient:
        """Return the asynchronous client; it sees what the plain one has stored."""
        return open_async_client(
            **{
                "metadata": self.metadata,
                "keys": self._client_keys,
                "states": AsyncStates(self.states)
                if self.asynchronous
                else self.states,
                "sessions": self.stores if self.asynchronous else self.sessions,
                "http": self.http,
                "clock": self.clock,
                "txt": self.world.dns,
                "policy": NetworkPolicy(),
                "own_origin": f"https://{HOST}",
                "plc_url": f"https://{PLC}",
                **options,
            }
        )

    def _client_keys(self) -> ClientKeys:
        return ClientKeys(self.keys)

    def runs(
        self, job: Callable[[AsyncOAuthClient], Awaitable[Any]], **options: Any
    ) -> Any:
        """Run a job with the open client, in an event loop of its own."""
        return anyio.run(self._inside, job, options, backend="asyncio")

    async def _inside(
        self, job: Callable[[AsyncOAuthClient], Awaitable[Any]], options: dict[str, Any]
    ) -> Any:
        async with self.opens(**options) as client:
            with anyio.fail_after(30):
                return await job(client)

    async def approves(
        self, client: AsyncOAuthClient, identifier: str, scope: str = "atproto"
    ) -> str:
        """Begin a login and approve it at the host; return the callback URL."""
        begun = await client.authorize(
            parse_identifier(identifier),
            scope=scope,
            redirect_uri=CALLBACK,
            deadline=self.deadline(),
            browser_secret=SECRET,
        )
        return self.at_host(begun).approves().url

    async def answers(self, client: AsyncOAuthClient, url: str) -> Completed:
        """Answer the callback URL."""
        return await client.callback(
            parse_qsl(urlsplit(url).query, keep_blank_values=True),
            browser_secrets=(SECRET,),
            deadline=self.deadline(),
        )

    async def signs_in(
        self, client: AsyncOAuthClient, identifier: str, scope: str = "atproto"
    ) -> AsyncLiveSession:
        """Go through a whole login; return the session."""
        url = await self.approves(client, identifier, scope)
        session = (await self.answers(client, url)).session
        live = await client.restore(session.did, session.session_id)
        # From here on the nonces of both servers are known.
        await live.request("GET", GET_SESSION, deadline=self.deadline())
        return live
