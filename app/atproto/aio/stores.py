"""Asynchronous stores: their protocols, and the bridge on which the client uses them.

The protocols are those of `stores/protocols.py` with `async def`, and promise the same.
The bridge takes plain stores as well, method by method: what a method returns is
awaited in the event loop when it is awaitable.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Protocol

from ..http.turns import waiting
from ..records import AuthRequest, OAuthSession
from ..stores.protocols import Cache, SessionStore, StateStore
from ..syntax.grammar import Did
from .workers import Workers


class AsyncStateStore(Protocol):
    """Auth requests, keyed by state; see `StateStore`."""

    async def put(self, request: AuthRequest) -> None:
        """Keep a new auth request. A state is never put twice."""

    async def get(self, state: str) -> AuthRequest | None:
        """Look at an unexpired auth request without consuming it."""

    async def take(self, state: str) -> AuthRequest | None:
        """Delete and return an unexpired auth request in one step.

        Of concurrent calls with one state, one gets it (requirement 6.3).
        """


class AsyncSessionStore(Protocol):
    """OAuth sessions, keyed by DID and session id, with leases; see `SessionStore`."""

    async def put(self, session: OAuthSession) -> None:
        """Keep a session; replaces the one with the same DID and session id."""

    async def get(self, did: Did, session_id: str) -> OAuthSession | None:
        """Return the session, or None."""

    async def delete(self, did: Did, session_id: str) -> OAuthSession | None:
        """Delete and return the session in one step, or None."""

    async def lease(
        self, did: Did, session_id: str, *, holder: str, until: float, now: float
    ) -> OAuthSession | None:
        """Mark the session as the holder's and return it as it is at that moment.

        None when another holder's lease has not expired at `now`, or the session is
        gone. Of concurrent calls, one succeeds.
        """

    async def replace(self, session: OAuthSession, *, holder: str) -> bool:
        """Write the session over the row that the holder leases, and end the lease.

        Atomic, and never a new row: false when the session is gone or another holder
        has the lease (requirement 7.8).
        """

    async def release(self, did: Did, session_id: str, *, holder: str) -> None:
        """End the lease if it is this holder's."""


class AsyncCache(Protocol):
    """Public documents and nonces, for a few minutes; see `Cache`."""

    async def get(self, key: str) -> str | None:
        """Return the value unless its lifetime is over."""

    async def put(self, key: str, value: str, *, lifetime: float) -> None:
        """Keep a value for `lifetime` seconds at most."""

    async def delete(self, key: str) -> None:
        """Forget a value."""


class _Bridge:
    """Calls a store from a thread; the store may be plain or asynchronous."""

    def __init__(self, store: Any, workers: Workers) -> None:
        self._store = store
        self._workers = workers

    def _call(self, method: str, *args: Any, **options: Any) -> Any:
        """Return what the store's method returns, awaited when it is awaitable."""
        with waiting():
            value = getattr(self._store, method)(*args, **options)
            if inspect.isawaitable(value):
                return self._workers.wait_for(value)
        return value


class BridgedCache(_Bridge, Cache):
    """A `Cache` on a cache that is plain or asynchronous; values go one by one."""

    def get(self, key: str) -> str | None:
        value: str | None = self._call("get", key)
        return value

    def put(self, key: str, value: str, *, lifetime: float) -> None:
        self._call("put", key, value, lifetime=lifetime)

    def delete(self, key: str) -> None:
        self._call("delete", key)


class BridgedStates(_Bridge, StateStore):
    """A `StateStore` on a store that is plain or asynchronous."""

    def put(self, request: AuthRequest) -> None:
        self._call("put", request)

    def get(self, state: str) -> AuthRequest | None:
        found: AuthRequest | None = self._call("get", state)
        return found

    def take(self, state: str) -> AuthRequest | None:
        taken: AuthRequest | None = self._call("take", state)
        return taken


class BridgedBrowserStates(BridgedStates):
    """The same for a store that has `take_if`, see `BrowserStateStore`."""

    def take_if(
        self, state: str, matches: Callable[[str | None, float], bool]
    ) -> AuthRequest | None:
        """Delete and return an auth request if its browser matches."""
        taken: AuthRequest | None = self._call("take_if", state, matches)
        return taken


class BridgedSessions(_Bridge, SessionStore):
    """A `SessionStore` on a store that is plain or asynchronous."""

    def put(self, session: OAuthSession) -> None:
        self._call("put", session)

    def get(self, did: Did, session_id: str) -> OAuthSession | None:
        found: OAuthSession | None = self._call("get", did, session_id)
        return found

    def delete(self, did: Did, session_id: str) -> OAuthSession | None:
        deleted: OAuthSession | None = self._call("delete", did, session_id)
        return deleted

    def lease(
        self, did: Did, session_id: str, *, holder: str, until: float, now: float
    ) -> OAuthSession | None:
        leased: OAuthSession | None = self._call(
            "lease", did, session_id, holder=holder, until=until, now=now
        )
        return leased

    def replace(self, session: OAuthSession, *, holder: str) -> bool:
        is_written: bool = self._call("replace", session, holder=holder)
        return is_written

    def release(self, did: Did, session_id: str, *, holder: str) -> None:
        self._call("release", did, session_id, holder=holder)


def bridge_states(
    store: StateStore | AsyncStateStore, workers: Workers
) -> BridgedStates:
    """Return a state store for threads."""
    kind = BridgedBrowserStates if hasattr(store, "take_if") else BridgedStates
    return kind(store, workers)
