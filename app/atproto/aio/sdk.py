"""The AsyncClient of the `atproto` package (PyPI) on an AsyncLiveSession.

Its requests are those of the plain adapter (`sdk.py`), in a thread: the same path,
headers, permissions and errors.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from ..sdk import (
    OWN_PDS,
    PATIENCE,
    AsyncClient,
    AsyncRequest,
    RequestBase,
    SdkResponse,
    SessionRequest,
    profile_of,
)
from ..session.session import ANSWER_LIMIT
from .session import AsyncLiveSession
from .workers import Workers


def open_async_sdk_client(
    live: AsyncLiveSession,
    *,
    timeout: float = PATIENCE,
    limit: int = ANSWER_LIMIT,
    monotonic: Callable[[], float] = time.monotonic,
) -> AsyncClient:
    """Return the SDK's AsyncClient, signed in with our session. Sends nothing.

    Arguments and errors are those of `sdk.open_sdk_client`, and ClientBusy when no
    thread was free in time.
    """
    plain = SessionRequest(
        live.plain, timeout=timeout, limit=limit, monotonic=monotonic
    )
    client = AsyncClient(OWN_PDS, request=AsyncSessionRequest(plain, live.workers))
    client.me = profile_of(live.plain)
    return client


class AsyncSessionRequest(AsyncRequest):  # type: ignore[misc] # the SDK has no types
    """The SDK's asynchronous request layer, on a `SessionRequest`."""

    def __init__(self, plain: SessionRequest, workers: Workers) -> None:
        RequestBase.__init__(self)  # AsyncRequest's own would open an httpx client
        self._plain = plain
        self._workers = workers

    async def get(self, url: str, **options: Any) -> SdkResponse:
        """Send a query; `options` are those of `SessionRequest.get`."""
        return await self._call(self._plain.get, url, options)

    async def post(self, url: str, **options: Any) -> SdkResponse:
        """Send a procedure; `options` are those of `SessionRequest.post`."""
        return await self._call(self._plain.post, url, options)

    async def close(self) -> None:
        """Do nothing: connections belong to the OAuth client."""

    def _new_instance(self) -> AsyncSessionRequest:
        """Return a layer for a clone of the AsyncClient: the same session."""
        return type(self)(self._plain, self._workers)

    async def _call(
        self, send: Callable[..., SdkResponse], url: str, options: dict[str, Any]
    ) -> SdkResponse:
        headers = self.get_headers(options.get("headers"))
        deadline = self._plain.deadline(options.get("timeout"))
        return await self._workers.run(
            partial(send, url, **{**options, "headers": headers}), deadline=deadline
        )
