"""open_async_client: builds an AsyncOAuthClient from its parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..client_metadata.builders import ClientMetadata
from ..crypto.keys import ClientKeys
from ..events import Observer, ignore
from ..http.client import SafeHTTP
from ..http.turns import waiting
from ..http.types import HTTP, Response
from ..http.url_policy import NetworkPolicy
from ..identity.dns import TxtLookup
from ..open_client import PLC_DIRECTORY, open_client
from ..stores.protocols import Cache, SessionStore, StateStore
from .client import AsyncOAuthClient
from .stores import (
    AsyncCache,
    AsyncSessionStore,
    AsyncStateStore,
    BridgedCache,
    BridgedSessions,
    bridge_states,
)
from .workers import THREADS, Workers


class _WaitingHTTP:
    """An HTTP client of the application; its requests count as waiting."""

    def __init__(self, http: HTTP) -> None:
        self._http = http

    def request(self, method: str, url: str, **options: Any) -> Response:
        """Send one request and return the response, see `HTTP.request`."""
        with waiting():
            return self._http.request(method, url, **options)


def open_async_client(
    *,
    metadata: ClientMetadata | Callable[[], ClientMetadata],
    keys: ClientKeys | Callable[[], ClientKeys] | None = None,
    states: StateStore | AsyncStateStore,
    sessions: SessionStore | AsyncSessionStore,
    http: HTTP,
    clock: Callable[[], float],
    txt: TxtLookup | None = None,
    cache: Cache | AsyncCache | None = None,
    policy: NetworkPolicy | None = None,
    own_origin: str | None = None,
    plc_url: str = PLC_DIRECTORY,
    before_host: Callable[[str], None] = lambda _host: None,
    observe: Observer = ignore,
    threads: int = THREADS,
) -> AsyncOAuthClient:
    """Return an OAuth client for one event loop; open it with `async with`.

    The arguments are those of `open_client`. Stores and cache may be plain or
    asynchronous: methods of a plain one are called in threads, those of an asynchronous
    one are awaited in the event loop. `metadata`, `keys`, `clock`, `before_host` and
    `observe` are called in threads. `threads` limits the calls that run at once; others
    wait for a free thread until their deadline.
    """
    workers = Workers(threads=threads)
    plain = open_client(
        metadata=metadata,
        keys=keys,
        states=bridge_states(states, workers),
        sessions=BridgedSessions(sessions, workers),
        http=http if isinstance(http, SafeHTTP) else _WaitingHTTP(http),
        clock=clock,
        txt=txt,
        cache=None if cache is None else BridgedCache(cache, workers),
        policy=policy,
        own_origin=own_origin,
        plc_url=plc_url,
        before_host=before_host,
        observe=observe,
    )
    return AsyncOAuthClient(plain, workers)
