"""`grpc.health.v1.Health`: SERVING while the readiness checks of /readyz pass.

The checks run every few seconds, however many callers ask. The servicer of the package
is not used, because it waits for the slowest watcher whenever a state changes: one
caller that reads nothing would block it for all of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from typing import Final

from grpc import StatusCode
from grpc_health.v1.health_pb2 import (
    HealthCheckRequest,
    HealthCheckResponse,
    HealthListRequest,
    HealthListResponse,
)
from grpc_health.v1.health_pb2_grpc import HealthServicer

from .calls import Context, ShuttingDown, address_of, answering

log = logging.getLogger(__name__)

ASK_AGAIN: Final = 5.0
"""Seconds between two runs of the checks."""

ANSWERS_WITHIN: Final = 10.0
"""Seconds after which checks that have not returned count as failed."""

SERVING = HealthCheckResponse.SERVING
NOT_SERVING = HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = HealthCheckResponse.SERVICE_UNKNOWN


class Health(HealthServicer):  # type: ignore[misc] # it has no types
    """The state of this process: one for all of its services."""

    def __init__(
        self,
        *,
        services: tuple[str, ...],
        checks: Mapping[str, Callable[[], None]],
        threads: Executor,
        admit: Callable[[str], AbstractContextManager[None]],
        platform: str,
    ) -> None:
        self._services = frozenset({"", *services})
        self._checks = checks
        self._threads = threads
        self._admit = admit
        self._platform = platform
        self._is_well: bool | None = None
        self._is_ending = False
        self._changed = asyncio.Event()

    async def Check(  # noqa: N802 - the name in grpc.health.v1
        self, request: HealthCheckRequest, context: Context
    ) -> HealthCheckResponse:
        """Return the state now; NOT_FOUND for a service that is not served here."""
        status = self._status(request.service)
        if status == SERVICE_UNKNOWN:
            await context.abort(StatusCode.NOT_FOUND, "There is no such service here.")
        return HealthCheckResponse(status=status)

    async def List(  # noqa: N802 - the name in grpc.health.v1
        self, _request: HealthListRequest, _context: Context
    ) -> HealthListResponse:
        """Return the state of every service."""
        statuses = {
            name: HealthCheckResponse(status=self._status(name))
            for name in self._services
        }
        return HealthListResponse(statuses=statuses)

    async def Watch(  # noqa: N802 - the name in grpc.health.v1
        self, request: HealthCheckRequest, context: Context
    ) -> None:
        """Write the state now and whenever it changes; counts as an open stream."""
        async with answering(context, "Health/Watch", platform=self._platform):
            with self._admit(address_of(context)):
                told = None
                while True:
                    # Read before the write, during which all three may change.
                    changed, is_ending = self._changed, self._is_ending
                    status = self._status(request.service)
                    if status != told:
                        await context.write(HealthCheckResponse(status=status))
                        told = status
                    if is_ending:
                        raise ShuttingDown
                    await changed.wait()

    def _status(self, service: str) -> HealthCheckResponse.ServingStatus:
        if service not in self._services:
            return SERVICE_UNKNOWN
        return SERVING if self._is_well and not self._is_ending else NOT_SERVING

    async def follow(self) -> None:
        """Run the checks again and again, until cancelled."""
        while True:
            await self.ask()
            await asyncio.sleep(ASK_AGAIN)

    async def ask(self) -> None:
        """Run every check, and tell the watchers when the result has changed."""
        trouble = await self._answer()
        if self._is_well is (trouble is None):
            return
        if trouble is not None:
            log.warning("not ready: %s", trouble)
        self._is_well = trouble is None
        self._tell()

    async def _answer(self) -> str | None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                return await loop.run_in_executor(self._threads, self._trouble)
        except TimeoutError:
            return f"no answer within {ANSWERS_WITHIN:.0f} seconds"
        except RuntimeError as error:  # no thread can be started; the next run may have
            return str(error)

    def end(self) -> None:
        """Answer NOT_SERVING from now on, so that load balancers use other nodes."""
        self._is_ending = True
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _trouble(self) -> str | None:
        for name, check in self._checks.items():
            try:
                check()
            except Exception as error:  # noqa: BLE001 - any failure means not ready
                return f"{name}: {error}"
        return None
