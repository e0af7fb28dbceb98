"""`latchkey.v1.AuthService`: InitiateLogin and AwaitLogin, over the flows.

The flows block, so they run on threads: logins that wait for slow hosts on one pool,
looks at the database on another, so that no slow host keeps a finished login waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from app.flows.native.start import StartNativeLogin
from app.flows.native.wait import AwaitNativeLogin, NativeOutcome
from app.wire.latchkey.v1 import auth_pb2 as wire

from .calls import Context, ShuttingDown, address_of, answering

Result = TypeVar("Result")

LOOK_AGAIN = 30.0
"""Seconds after which a stream looks even if nothing woke it."""

ACKNOWLEDGED = "completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthService:
    """The service of the .proto; its methods bear the names that stand there."""

    starting: StartNativeLogin
    awaiting: AwaitNativeLogin
    starts: Executor
    looks: Executor
    platform: str
    look_again: float = LOOK_AGAIN

    async def InitiateLogin(  # noqa: N802 - the .proto's name
        self, request: wire.InitiateLoginRequest, context: Context
    ) -> wire.InitiateLoginResponse:
        """Begin a login; the host is asked on a thread meanwhile."""
        async with answering(context, "InitiateLogin", platform=self.platform):
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
        """Tell how a login ends, once; or take note that its token has arrived.

        Written to the context, not yielded: a caller that leaves cancels this
        coroutine where it waits, and its place is free at once.
        """
        async with answering(context, "AwaitLogin", platform=self.platform):
            if request.last_event_id == ACKNOWLEDGED:
                await self._acknowledge(request)
            else:
                await self._follow(request, context)

    async def _acknowledge(self, request: wire.AwaitLoginRequest) -> None:
        acknowledge = partial(
            self.awaiting.acknowledge,
            request.session_id,
            code_verifier=request.code_verifier or None,
        )
        await _on(self.looks, acknowledge)

    async def _follow(self, request: wire.AwaitLoginRequest, context: Context) -> None:
        if self.awaiting.is_ending:
            raise ShuttingDown
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(woken.set)

        with (
            self.awaiting.admit(address_of(context)),
            self.awaiting.watch(request.session_id, wake),
        ):
            outcome = await self._look(request)
            if outcome.status == "pending":
                await context.write(event_of(outcome))
            while outcome.status == "pending":
                await self._wait(woken, outcome)
                outcome = await self._look(request)
            await context.write(event_of(outcome))

    async def _look(self, request: wire.AwaitLoginRequest) -> NativeOutcome:
        look = partial(
            self.awaiting.look,
            request.session_id,
            code_verifier=request.code_verifier or None,
        )
        return await _on(self.looks, look)

    async def _wait(self, woken: asyncio.Event, pending: NativeOutcome) -> None:
        """Wait until it may be worth looking: something happened, or the time is up."""
        if not self.awaiting.is_ending:
            remaining = pending.expires_in or 0
            # Not wait_for: it drops a cancellation that comes together with a wake-up.
            with suppress(TimeoutError):
                async with asyncio.timeout(min(self.look_again, remaining + 1)):
                    await woken.wait()
            woken.clear()
        if self.awaiting.is_ending:
            raise ShuttingDown


def event_of(outcome: NativeOutcome) -> wire.AwaitLoginResponse:
    """Return a login's state as the .proto writes it."""
    match outcome.status:
        case "pending":
            return wire.AwaitLoginResponse(pending=wire.Pending())
        case "denied":
            return wire.AwaitLoginResponse(denied=wire.Denied())
        case "expired":
            return wire.AwaitLoginResponse(expired=wire.Expired())
        case "completed":
            completed = wire.Completed(
                token=outcome.token,
                did=outcome.did,
                handle=outcome.handle or "",
                username=outcome.username,
                expires_in=outcome.expires_in,
            )
            return wire.AwaitLoginResponse(completed=completed)


async def _on(threads: Executor, work: Callable[[], Result]) -> Result:
    return await asyncio.get_running_loop().run_in_executor(threads, work)
