"""In-memory stores and cache, for scripts and tests; the service uses the cache only.

A restart loses every login that waits and every session.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from sys import getsizeof
from typing import Final, Generic, NamedTuple, TypeVar

from ..records import AuthRequest, OAuthSession
from ..syntax.grammar import Did
from .protocols import SessionStore, StateStore

Value = TypeVar("Value")

MAX_CACHE_BYTES: Final = 16_000_000
"""Bytes of one cache; a process of the service has two."""

ENTRY_OVERHEAD: Final = 500
"""Bytes that an entry takes beside its key and its value."""

HEAP_SLACK: Final = 1_000


class _Entry(NamedTuple, Generic[Value]):
    expires_at: float
    size: int
    value: Value


class MemoryStateStore(StateStore):
    """Auth requests in a dictionary; `put` deletes the expired ones."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._requests: dict[str, AuthRequest] = {}

    def put(self, request: AuthRequest) -> None:
        now = self._clock()
        with self._lock:
            stale = [s for s, r in self._requests.items() if r.expires_at <= now]
            for state in stale:
                del self._requests[state]
            self._requests[request.state] = request

    def get(self, state: str) -> AuthRequest | None:
        with self._lock:
            return self._unexpired(self._requests.get(state))

    def take(self, state: str) -> AuthRequest | None:
        with self._lock:
            return self._unexpired(self._requests.pop(state, None))

    def _unexpired(self, request: AuthRequest | None) -> AuthRequest | None:
        if request is None or request.expires_at <= self._clock():
            return None
        return request


class MemorySessionStore(SessionStore):
    """OAuth sessions in a dictionary."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[tuple[Did, str], OAuthSession] = {}
        self._leases: dict[tuple[Did, str], tuple[str, float]] = {}

    def put(self, session: OAuthSession) -> None:
        with self._lock:
            self._sessions[session.did, session.session_id] = session

    def get(self, did: Did, session_id: str) -> OAuthSession | None:
        with self._lock:
            return self._sessions.get((did, session_id))

    def delete(self, did: Did, session_id: str) -> OAuthSession | None:
        with self._lock:
            self._leases.pop((did, session_id), None)
            return self._sessions.pop((did, session_id), None)

    def lease(
        self, did: Did, session_id: str, *, holder: str, until: float, now: float
    ) -> OAuthSession | None:
        key = did, session_id
        with self._lock:
            _, ends = self._leases.get(key, ("", now))
            if key not in self._sessions or ends > now:
                return None
            self._leases[key] = holder, until
            return self._sessions[key]

    def replace(self, session: OAuthSession, *, holder: str) -> bool:
        key = session.did, session.session_id
        with self._lock:
            if self._leases.get(key, ("", 0.0))[0] != holder:
                return False
            del self._leases[key]
            self._sessions[key] = session
            return True

    def release(self, did: Did, session_id: str, *, holder: str) -> None:
        with self._lock:
            if self._leases.get((did, session_id), ("", 0.0))[0] == holder:
                del self._leases[did, session_id]


class MemoryCache(Generic[Value]):
    """A cache limited in entries and bytes: the least recently used entry goes first.

    Expired entries are removed at the next `put`. The size of a value that is no text
    is that of the object alone: such caches limit their entries.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        max_entries: int = 5_000,
        max_bytes: int = MAX_CACHE_BYTES,
    ) -> None:
        self._clock = clock
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry[Value]] = OrderedDict()
        self._expiries: list[tuple[float, str]] = []

    def get(self, key: str) -> Value | None:
        """Return the value, or None after its lifetime."""
        # Without the lock, which takes longer than the dictionary; each step is one.
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.expires_at <= self._clock():
            self._forget(key, entry)
            return None
        try:
            self._entries.move_to_end(key)
        except KeyError:  # another thread has just removed it
            return None
        return entry.value

    def put(self, key: str, value: Value, *, lifetime: float) -> None:
        """Store a value for `lifetime` seconds at most; one over the limit is not."""
        size = getsizeof(key) + getsizeof(value) + ENTRY_OVERHEAD
        with self._lock:
            now = self._clock()
            self._remove(key)
            self._remove_expired(now)
            if size > self._max_bytes:
                return
            self._entries[key] = _Entry(now + lifetime, size, value)
            heappush(self._expiries, (now + lifetime, key))
            self._bytes += size
            while len(self._entries) > self._max_entries or (
                self._bytes > self._max_bytes
            ):
                self._bytes -= self._entries.popitem(last=False)[1].size

    def delete(self, key: str) -> None:
        """Delete a value."""
        with self._lock:
            self._remove(key)

    def _forget(self, key: str, expired: _Entry[Value]) -> None:
        """Remove an entry unless another thread has replaced it."""
        with self._lock:
            if self._entries.get(key) is expired:
                self._remove(key)

    def _remove(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry.size

    def _remove_expired(self, now: float) -> None:
        """Remove what has expired; the heap may name entries that are gone or newer."""
        while self._expiries and self._expiries[0][0] <= now:
            _, key = heappop(self._expiries)
            entry = self._entries.get(key)
            if entry is not None and entry.expires_at <= now:
                self._remove(key)
        if len(self._expiries) > 2 * len(self._entries) + HEAP_SLACK:
            # As of a plain dictionary: `get` changes the order meanwhile, in a thread.
            entries = dict.items(self._entries)
            self._expiries = [(entry.expires_at, key) for key, entry in entries]
            heapify(self._expiries)
