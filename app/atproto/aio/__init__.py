"""The OAuth client for asynchronous programs on asyncio (extra `aio`).

docs/async.md goes from sign-in to a record written in a FastAPI application. What is
named here is what the library promises, and `aio.sdk.open_async_sdk_client`.
"""

from __future__ import annotations

from .client import AsyncOAuthClient
from .open_client import open_async_client
from .session import AsyncLiveSession
from .stores import AsyncCache, AsyncSessionStore, AsyncStateStore
from .workers import THREADS

__all__ = [
    "open_async_client",
    "AsyncOAuthClient",
    "AsyncLiveSession",
    "AsyncCache",
    "AsyncSessionStore",
    "AsyncStateStore",
    "THREADS",
]
