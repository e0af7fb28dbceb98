"""Stores that live as long as the process: for scripts, tests and caches.

Not for a service: a restart loses every login that waits and every session.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..records import AuthRequest, OAuthSession
    from ..syntax.grammar import Did
    from .protocols import Cache, SessionStore, StateStore

Value = TypeVar("Value")


class MemoryStateStore:
    """Auth requests in a dictionary; expired ones go when a new one comes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._requests: dict[str, AuthRequest] = {}

    def put(self, request: AuthRequest) -> None:
        """Keep a new auth request."""
        now = self._clock()
        with self._lock:
            stale = [s for s, r in self._requests.items() if r.expires_at <= now]
            for state in stale:
                del self._requests[state]
            self._requests[request.state] = request

    def get(self, state: str) -> AuthRequest | None:
        """Look at an unexpired auth request without consuming it."""
        with self._lock:
            return self._unexpired(self._requests.get(state))

    def take(self, state: str) -> AuthRequest | None:
        """Delete and return an unexpired auth request, exactly once."""
        with self._lock:
            return self._unexpired(self._requests.pop(state, None))

    def _unexpired(self, request: AuthRequest | None) -> AuthRequest | None:
        if request is None or request.expires_at <= self._clock():
            return None
        return request


class MemorySessionStore:
    """OAuth sessions in a dictionary."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[tuple[Did, str], OAuthSession] = {}
        self._leases: dict[tuple[Did, str], tuple[str, float]] = {}

    def put(self, session: OAuthSession) -> None:
        """Keep a session; replaces the one with the same DID and session id."""
        with self._lock:
            self._sessions[session.did, session.session_id] = session

    def get(self, did: Did, session_id: str) -> OAuthSession | None:
        """Return the session, or None."""
        with self._lock:
            return self._sessions.get((did, session_id))

    def delete(self, did: Did, session_id: str) -> OAuthSession | None:
        """Delete and return the session, or None."""
        with self._lock:
            self._leases.pop((did, session_id), None)
            return self._sessions.pop((did, session_id), None)

    def lease(
        self, did: Did, session_id: str, *, holder: str, until: float, now: float
    ) -> OAuthSession | None:
        """Mark the session as the holder's and return it, or None."""
        key = did, session_id
        with self._lock:
            _, ends = self._leases.get(key, ("", now))
            if key not in self._sessions or ends > now:
                return None
            self._leases[key] = holder, until
            return self._sessions[key]

    def replace(self, session: OAuthSession, *, holder: str) -> bool:
        """Write the session over the one that the holder leases; end the lease."""
        key = session.did, session.session_id
        with self._lock:
            if self._leases.get(key, ("", 0.0))[0] != holder:
                return False
            del self._leases[key]
            self._sessions[key] = session
            return True

    def release(self, did: Did, session_id: str, *, holder: str) -> None:
        """End the holder's lease; another's is left alone."""
        with self._lock:
            if self._leases.get((did, session_id), ("", 0.0))[0] == holder:
                del self._leases[did, session_id]


class MemoryCache(Generic[Value]):
    """A bounded cache: the entry used least recently goes first."""

    def __init__(self, clock: Callable[[], float], *, max_entries: int = 5_000) -> None:
        self._clock = clock
        self._max_entries = max_entries
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[float, Value]] = OrderedDict()

    def get(self, key: str) -> Value | None:
        """Return the value unless its lifetime is over."""
        with self._lock:
            if key not in self._entries:
                return None
            expires_at, value = self._entries[key]
            if expires_at <= self._clock():
                del self._entries[key]
                return None
            self._entries.move_to_end(key)
            return value

    def put(self, key: str, value: Value, *, lifetime: float) -> None:
        """Keep a value for `lifetime` seconds at most."""
        with self._lock:
            self._entries[key] = (self._clock() + lifetime, value)
            self._entries.move_to_end(key)
            while len(self._entries) > self._max_entries:
                self._entries.popitem(last=False)

    def delete(self, key: str) -> None:
        """Forget a value."""
        with self._lock:
            self._entries.pop(key, None)


if TYPE_CHECKING:

    def _fits(
        states: MemoryStateStore, sessions: MemorySessionStore, cache: MemoryCache[str]
    ) -> tuple[StateStore, SessionStore, Cache]:
        return states, sessions, cache
