"""The gRPC listener: one server on one address, from start to graceful shutdown."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from grpc import aio
from grpc_health.v1 import health as health_service
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection as reflection_service
from grpc_reflection.v1alpha import reflection_pb2_grpc

from app.flows.login.start import LOGINS_AT_ONCE
from app.flows.native.refresh import RefreshApp
from app.flows.native.start import StartNativeLogin
from app.flows.native.wait import AwaitNativeLogin
from app.telemetry.events import Observer, ignore
from app.wire.latchkey.v1 import auth_pb2, auth_pb2_grpc

from .health import Health
from .service import LOOK_AGAIN, AuthService, Reflection
from .tls import Certificate, ListenerRefused

log = logging.getLogger(__name__)

AUTH: Final = auth_pb2.DESCRIPTOR.services_by_name["AuthService"].full_name

STARTS: Final = LOGINS_AT_ONCE + 4
"""Threads for logins that wait for slow hosts: as many as may wait at once, and a few
that refuse the others without delay."""

LOOKS: Final = 8
"""Threads for reads of the database, which take milliseconds."""

MOST_CALLS: Final = 5000
"""Open calls of this process, of all callers; more are RESOURCE_EXHAUSTED."""

ROOM: Final = 32
"""Calls of one connection beyond its streams: a stream above the limit is answered with
an error, where gRPC alone would let it wait."""

GRACE: Final = 10.0
"""Seconds for calls that are open when we stop: beginning a login takes no longer."""

OPTIONS: Final = {
    # One process per address: a second one fails instead of taking half the calls.
    "grpc.so_reuseport": 0,
    # Every message of auth.proto is small.
    "grpc.max_receive_message_length": 16 * 1024,
    "grpc.max_send_message_length": 64 * 1024,
    "grpc.max_metadata_size": 8 * 1024,
    # A peer that vanished (a laptop that sleeps) is noticed within a minute; peers may
    # ping us as often.
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 20_000,
    "grpc.http2.max_pings_without_data": 0,
    "grpc.http2.min_recv_ping_interval_without_data_ms": 10_000,
    # A connection without a call is closed.
    "grpc.max_connection_idle_ms": 300_000,
}


class CannotListen(ListenerRefused):
    """The address is taken, or not this machine's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """One gRPC server and what its services need."""

    bind: str
    certificate: Certificate | None
    starting: StartNativeLogin
    awaiting: AwaitNativeLogin
    refreshing: RefreshApp
    checks: Mapping[str, Callable[[], None]]
    streams_per_address: int
    platform: str
    look_again: float = LOOK_AGAIN
    observe: Observer = ignore

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            ListenerRefused: the address or the certificate cannot be used.
        """
        asyncio.run(self._until_told())

    async def _until_told(self) -> None:
        told = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, told.set)
        await self.serve(told)

    async def serve(
        self, told: asyncio.Event, *, on_ready: Callable[[int], None] | None = None
    ) -> None:
        """Serve until told to stop, then let open calls finish.

        `on_ready` is given the port.

        Raises:
            ListenerRefused: as `run` does.
        """
        with (
            ThreadPoolExecutor(STARTS, "starts") as starts,
            ThreadPoolExecutor(LOOKS, "looks") as looks,
        ):
            health = self._health(looks)
            server = self._server(health, starts, looks)
            port = self._listen(server)
            await health.ask()
            await server.start()
            following = asyncio.create_task(health.follow())
            secured = "TLS" if self.certificate else "clear text"
            log.info("the gRPC listener is ready: %s, %s", self.bind, secured)
            if on_ready is not None:
                on_ready(port)
            await told.wait()
            following.cancel()
            await self._end(server, health)

    async def _end(self, server: aio.Server, health: Health) -> None:
        """Send load balancers and waiting apps elsewhere; let open calls finish."""
        log.info("the gRPC listener stops")
        health.end()
        self.awaiting.end()
        await server.stop(GRACE)

    def _health(self, looks: ThreadPoolExecutor) -> Health:
        return Health(
            services=(AUTH,),
            checks=self.checks,
            threads=looks,
            admit=self.awaiting.admit,
            platform=self.platform,
        )

    def _server(
        self, health: Health, starts: ThreadPoolExecutor, looks: ThreadPoolExecutor
    ) -> aio.Server:
        streams = {"grpc.max_concurrent_streams": self.streams_per_address + ROOM}
        server = aio.server(
            options=[*OPTIONS.items(), *streams.items()],
            maximum_concurrent_rpcs=MOST_CALLS,
        )
        auth = AuthService(
            starting=self.starting,
            awaiting=self.awaiting,
            refreshing=self.refreshing,
            starts=starts,
            looks=looks,
            platform=self.platform,
            look_again=self.look_again,
            observe=self.observe,
        )
        names = (AUTH, health_service.SERVICE_NAME, reflection_service.SERVICE_NAME)
        reflection = Reflection(
            names, admit=self.awaiting.admit, platform=self.platform
        )
        auth_pb2_grpc.add_AuthServiceServicer_to_server(auth, server)
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(reflection, server)
        return server

    def _listen(self, server: aio.Server) -> int:
        credentials = self.certificate.credentials() if self.certificate else None
        try:
            if credentials is None:
                return server.add_insecure_port(self.bind)
            return server.add_secure_port(self.bind, credentials)
        except RuntimeError as error:
            message = (
                f"cannot listen on {self.bind}: it is taken, or not this machine's"
            )
            raise CannotListen(message) from error
