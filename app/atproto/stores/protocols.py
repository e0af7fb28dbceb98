"""The storage protocols of the client: auth requests, sessions, cache.

An application that embeds the library implements them; `stores/memory.py` and
`stores/files.py` are two implementations. Records contain secrets in clear: a
persistent store encrypts them (requirement 7.23) and keys auth requests by a hash of
their state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from ..records import AuthRequest, OAuthSession
from ..syntax.grammar import Did


class StateStore(Protocol):
    """Auth requests, keyed by state."""

    def put(self, request: AuthRequest) -> None:
        """Keep a new auth request. A state is never put twice."""

    def get(self, state: str) -> AuthRequest | None:
        """Look at an unexpired auth request without consuming it."""

    def take(self, state: str) -> AuthRequest | None:
        """Delete and return an unexpired auth request in one step.

        Of concurrent calls with one state, one gets it (requirement 6.3).
        """


@runtime_checkable
class BrowserStateStore(StateStore, Protocol):
    """A state store that compares the browser and takes in one step.

    For a store where that saves a transaction and a second decryption; others are asked
    with `get` and `take`.
    """

    def take_if(
        self, state: str, matches: Callable[[str | None, float], bool]
    ) -> AuthRequest | None:
        """Delete and return an unexpired auth request if its browser matches.

        `matches` gets its `browser_secret_hash` and `created_at`. None when there is no
        such request.

        Raises:
            BrowserMismatch: the browser does not match; the auth request stays
                (requirement 6.3).
        """


class SessionStore(Protocol):
    """OAuth sessions, keyed by DID and session id.

    A lease says which process refreshes a session: a refresh token is valid once, and a
    second use ends the session at its host (requirements 7.6 and 7.7). A lease is a
    column of the row and not a lock: no transaction stays open during the refresh, and
    the lease of a process that died expires. Reading needs no lease.
    """

    def put(self, session: OAuthSession) -> None:
        """Keep a session; replaces the one with the same DID and session id."""

    def get(self, did: Did, session_id: str) -> OAuthSession | None:
        """Return the session, or None."""

    def delete(self, did: Did, session_id: str) -> OAuthSession | None:
        """Delete and return the session in one step, or None."""

    def lease(
        self, did: Did, session_id: str, *, holder: str, until: float, now: float
    ) -> OAuthSession | None:
        """Mark the session as the holder's and return it as it is at that moment.

        None when another holder's lease has not expired at `now`, or the session is
        gone; `get` tells which. Of concurrent calls, one succeeds.
        """

    def replace(self, session: OAuthSession, *, holder: str) -> bool:
        """Write the session over the row that the holder leases, and end the lease.

        Atomic, and never a new row: false when the session is gone or another holder
        has the lease (requirement 7.8).
        """

    def release(self, did: Did, session_id: str, *, holder: str) -> None:
        """End the lease if it is this holder's."""


class Cache(Protocol):
    """Public documents and nonces, for a few minutes; entries may vanish at any time.

    Values are validated again when they are read.
    """

    def get(self, key: str) -> str | None:
        """Return the value unless its lifetime is over."""

    def put(self, key: str, value: str, *, lifetime: float) -> None:
        """Keep a value for `lifetime` seconds at most."""

    def delete(self, key: str) -> None:
        """Forget a value."""


@runtime_checkable
class BatchCache(Cache, Protocol):
    """A cache that keeps several values in one step; others get them one by one."""

    def put_all(self, values: Mapping[str, str], *, lifetime: float) -> None:
        """Keep values for `lifetime` seconds at most."""
