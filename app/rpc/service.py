"""The gRPC services: `latchkey.v1.AuthService` over the use cases, and reflection.

The use cases block, so they run on threads: logins that wait for slow hosts on one
pool, looks at the database on another, so that no slow host delays a finished login.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Iterable
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, AbstractContextManager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from grpc_reflection.v1alpha.reflection import aio
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest

from app.flows.native.outcome import NativeOutcome
from app.flows.native.refresh import RefreshApp
from app.flows.native.start import StartNativeLogin
from app.flows.native.wait import AwaitNativeLogin
from app.telemetry.events import Observer, ignore
from app.wire.latchkey.v1 import auth_pb2 as wire

from .calls import Context, ShuttingDown, address_of, answering

Result = TypeVar("Result")

LOOK_AGAIN = 30.0
"""Seconds after which a stream looks at the database even if it was not woken."""

ACKNOWLEDGED = "completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthService:
    """`AuthService` of auth.proto; its methods have the names of the .proto."""

    starting: StartNativeLogin
    awaiting: AwaitNativeLogin
    refreshing: RefreshApp
    starts: Executor
    looks: Executor
    platform: str
    look_again: float = LOOK_AGAIN
    observe: Observer = ignore

    async def InitiateLogin(  # noqa: N802 - the .proto's name
        self, request: wire.InitiateLoginRequest, context: Context
    ) -> wire.InitiateLoginResponse:
        """Begin a login; a thread asks the person's host meanwhile."""
        async with self._answering(context, "InitiateLogin"):
            started = await _on(
                self.starts,
                partial(
                    self.starting.start,
                    request.identifier,
                    address=address_of(context),
                    app_name=request.app_name or None,
                    code_challenge=request.code_challenge or None,
                ),
            )
            return wire.InitiateLoginResponse(
                oauth_url=started.oauth_url,
                session_id=started.await_secret,
                user_code=started.user_code,
                expires_in=started.expires_in,
            )

    async def AwaitLogin(  # noqa: N802 - the .proto's name
        self, request: wire.AwaitLoginRequest, context: Context
    ) -> None:
        """Stream the state of a login until it ends; or acknowledge its token.

        Events are written to the context and not yielded: a caller that disconnects
        cancels this coroutine where it waits, which frees its place at once.
        """
        async with self._answering(context, "AwaitLogin"):
            if request.last_event_id == ACKNOWLEDGED:
                await self._ask(request, self.awaiting.acknowledge)
            else:
                await self._follow(request, context)

    async def RefreshToken(  # noqa: N802 - the .proto's name
        self, request: wire.RefreshTokenRequest, context: Context
    ) -> wire.Completed:
        """Renew an app's token; its refresh token is replaced."""
        async with self._answering(context, "RefreshToken"):
            address = address_of(context)
            renew = partial(self.refreshing, request.refresh_token, address=address)
            return completed_of(await _on(self.looks, renew))

    def _answering(
        self, context: Context, method: str
    ) -> AbstractAsyncContextManager[None]:
        return answering(context, method, platform=self.platform, observe=self.observe)

    async def _follow(self, request: wire.AwaitLoginRequest, context: Context) -> None:
        if self.awaiting.is_ending:
            raise ShuttingDown
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(woken.set)

        with (
            self.awaiting.admit(address_of(context)),
            self.awaiting.watch(request.session_id, wake) as watched,
        ):
            outcome = await self._ask(request, self.awaiting.look)
            again = partial(self.awaiting.look_again, watched)
            if outcome.status == "pending":
                await context.write(event_of(outcome))
            while outcome.status == "pending":
                await self._wait(woken, outcome)
                outcome = await self._ask(request, again)
            await context.write(event_of(outcome))

    async def _ask(
        self, request: wire.AwaitLoginRequest, ask: Callable[..., Result]
    ) -> Result:
        """Call `ask` with the secret and the verifier of the request, on a thread."""
        verifier = request.code_verifier or None
        asked = partial(ask, request.session_id, code_verifier=verifier)
        return await _on(self.looks, asked)

    async def _wait(self, woken: asyncio.Event, pending: NativeOutcome) -> None:
        """Wait until the login may have changed, or the time is up."""
        if not self.awaiting.is_ending:
            remaining = pending.expires_in or 0
            # Not wait_for: it loses a cancellation that comes together with a wake-up.
            with suppress(TimeoutError):
                async with asyncio.timeout(min(self.look_again, remaining + 1)):
                    await woken.wait()
            woken.clear()
        if self.awaiting.is_ending:
            raise ShuttingDown


class Reflection(aio.ReflectionServicer):  # type: ignore[misc] # it has no types
    """`grpc.reflection.v1alpha`, for grpcurl and similar tools.

    The servicer of the package; each stream is counted and logged like any other.
    """

    def __init__(
        self,
        services: Iterable[str],
        *,
        admit: Callable[[str], AbstractContextManager[None]],
        platform: str,
    ) -> None:
        super().__init__(services)
        self._admit = admit
        self._platform = platform

    async def ServerReflectionInfo(  # noqa: N802 - the name in grpc.reflection
        self, requests: AsyncIterable[ServerReflectionRequest], context: Context
    ) -> None:
        """Answer each request until the caller sends no more."""
        async with answering(context, "ServerReflection", platform=self._platform):
            with self._admit(address_of(context)):
                async for answer in super().ServerReflectionInfo(requests, context):
                    await context.write(answer)


def event_of(outcome: NativeOutcome) -> wire.AwaitLoginResponse:
    """Return the state of a login as a message of the .proto."""
    match outcome.status:
        case "pending":
            return wire.AwaitLoginResponse(pending=wire.Pending())
        case "denied":
            return wire.AwaitLoginResponse(denied=wire.Denied())
        case "expired":
            return wire.AwaitLoginResponse(expired=wire.Expired())
        case "completed":
            return wire.AwaitLoginResponse(completed=completed_of(outcome))


def completed_of(outcome: NativeOutcome) -> wire.Completed:
    """Return the tokens of a session, and whose they are."""
    return wire.Completed(
        token=outcome.token,
        did=outcome.did,
        handle=outcome.handle or "",
        username=outcome.username,
        expires_in=outcome.expires_in,
        refresh_token=outcome.refresh_token,
        refresh_expires_in=outcome.refresh_expires_in,
    )


async def _on(threads: Executor, work: Callable[[], Result]) -> Result:
    # In a copy of the context, so that the thread's log lines have the call's ids.
    run = partial(copy_context().run, work)
    return await asyncio.get_running_loop().run_in_executor(threads, run)
