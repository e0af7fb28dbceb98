"""What the client needs to have kept, as three small protocols.

Whoever embeds the library brings the storage; `stores/memory.py` ships one that forgets
at the end of the process. Records hold secrets in clear: a store that outlives the
process encrypts them (requirement 7.23) and keys auth requests by a hash of their
state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
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

        However many callers race for a state, one gets it (requirement 6.3).
        """


class SessionStore(Protocol):
    """OAuth sessions, keyed by DID and session id.

    A lease says who refreshes a session now: refresh tokens serve once, and a second
    use ends the session at its host (requirements 7.6 and 7.7). It is a mark in the
    row, not a lock: nothing is held open while the holder speaks to the network, and a
    holder that died is passed over once its time is up. Nobody needs it for reading.
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

        None when another's lease has not ended by `now`, or the session is gone; `get`
        tells which. However many ask at once, one gets it.
        """

    def replace(self, session: OAuthSession, *, holder: str) -> bool:
        """Write the session over the row that the holder leases, and end the lease.

        One step, and never a new row: false when the session is gone or the lease is
        another's by now (requirement 7.8).
        """

    def release(self, did: Did, session_id: str, *, holder: str) -> None:
        """End the holder's lease; another's is left alone."""


class Cache(Protocol):
    """Public documents and nonces for a few minutes; may forget at any time.

    What it returns is parsed again like an answer of the network.
    """

    def get(self, key: str) -> str | None:
        """Return the value unless its lifetime is over."""

    def put(self, key: str, value: str, *, lifetime: float) -> None:
        """Keep a value for `lifetime` seconds at most."""

    def delete(self, key: str) -> None:
        """Forget a value."""
