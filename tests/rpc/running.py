"""A listener on a thread of its own, and channels that lead to it."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc

from app.wire.latchkey.v1 import auth_pb2, auth_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.rpc.listener import Listener

ANSWERS_WITHIN = 60.0


class Running:
    """A listener that serves: where it is, and how to make it stop."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self._ready: Future[int] = Future()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),))
        self._thread.start()
        host = listener.bind.rpartition(":")[0]
        port = self._ready.result(ANSWERS_WITHIN)
        self.target = listener.bind if port == 1 else f"{host}:{port}"

    async def _serve(self) -> None:
        self._loop, self._told = asyncio.get_running_loop(), asyncio.Event()
        try:
            await self.listener.serve(self._told, on_ready=self._ready.set_result)
        except Exception as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    def stops(self) -> None:
        """Do what SIGTERM does, and wait for the end."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._told.set)
        self._thread.join(ANSWERS_WITHIN)
        assert not self._thread.is_alive()

    @contextmanager
    def channel(self, **options: Any) -> Iterator[grpc.Channel]:
        """Open a connection in clear text."""
        with grpc.insecure_channel(self.target, list(options.items())) as channel:
            yield channel


class App:
    """An app that signs its person in: calls with a time limit, and what came of it."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.stub = auth_pb2_grpc.AuthServiceStub(channel)

    def initiates(self, identifier: str, **more: str) -> auth_pb2.InitiateLoginResponse:
        request = auth_pb2.InitiateLoginRequest(identifier=identifier, **more)
        return self.stub.InitiateLogin(request, timeout=ANSWERS_WITHIN)

    def awaits(self, session_id: str, **more: str) -> grpc.Call:
        request = auth_pb2.AwaitLoginRequest(session_id=session_id, **more)
        return self.stub.AwaitLogin(request, timeout=ANSWERS_WITHIN)

    def is_told(self, session_id: str, **more: str) -> list[str]:
        """Await to the end and name what came."""
        return [
            event.WhichOneof("outcome") for event in self.awaits(session_id, **more)
        ]


def metadata_of(error: grpc.RpcError) -> dict[str, str]:
    return dict(error.trailing_metadata())
