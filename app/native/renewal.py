"""Renews the platform token of a session with its refresh token.

One call at a time, among threads and processes: each renewal holds a lock of the store
and reads the session again under it. The service repeats a lost answer for a minute, so
a process that dies in the middle, or a second one that did not wait, loses nothing.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from .clock import Clock
from .errors import (
    LoginRefused,
    NotALatchkeyServer,
    ServerUnreachable,
    SessionStoreFailed,
)
from .login_state import StoredState, stored_session
from .records import NativeSession, RefreshToken, State, StoredSession
from .transports.transport import Transport

log = logging.getLogger(__name__)

ENDED = "invalid_grant"
"""The service's code for a session that is over (RFC 6749 section 5.2)."""


class Renewal:
    """Hands out the session with a token that is good now."""

    def __init__(self, state: StoredState, transport: Transport, clock: Clock) -> None:
        """Put the parts together; nothing is contacted, read or written."""
        self._state = state
        self._transport = transport
        self._clock = clock

    def session(self) -> NativeSession | None:
        """Return the session, renewed when its token is near its end; None if none.

        While the token is good, a renewal that fails is logged and tried again later.

        Raises what `after` raises, when the token has expired.
        """
        stored, now = self._state.read().stored, self._clock.wall()
        if stored is None:
            return None
        is_good = now < stored.session.expires_at
        if stored.refresh is None:
            return stored.session if is_good else None
        if is_good and now < stored.refresh.renew_at:
            return stored.session
        try:
            return self.after(stored.session)
        except (ServerUnreachable, LoginRefused, SessionStoreFailed) as error:
            if not is_good:
                raise
            log.info("the token is not renewed yet: %s", error)
            return stored.session

    def after(self, seen: NativeSession) -> NativeSession | None:
        """Return the session with another token than `seen` has.

        None when it has ended, here or at the service; then it is removed. The same one
        when the service gave no refresh token.

        Raises:
            ServerUnreachable: the service did not answer; the session stays.
            LoginRefused: it refused for the time being, as with too many requests.
            SessionStoreFailed: the session could not be read or stored.
        """
        with self._state.alone():
            stored = self._state.read().stored
            if stored is None:
                return None
            if stored.session.token != seen.token or stored.refresh is None:
                return stored.session
            return self._renewed(stored, stored.refresh)

    def _renewed(
        self, stored: StoredSession, refresh: RefreshToken
    ) -> NativeSession | None:
        try:
            completed = self._transport.refresh(
                stored.session.server_url, refresh.token
            )
        except LoginRefused as refused:
            if refused.code != ENDED:
                raise
            return self._replace(stored, None)
        if completed.did != stored.session.did:
            raise NotALatchkeyServer("the answer is about another account")
        following = stored_session(
            completed,
            stored.session.server_url,
            stored.claimed_with,
            now=self._clock.now(),
        )
        return self._replace(stored, following)

    def _replace(
        self, stored: StoredSession, following: StoredSession | None
    ) -> NativeSession | None:
        """Replace the session, unless it was replaced or removed meanwhile."""

        def change(state: State) -> State:
            return replace(state, stored=following) if _has(state, stored) else state

        before = self._state.change(change)
        kept = following if _has(before, stored) else before.stored
        return kept.session if kept else None


def _has(state: State, stored: StoredSession) -> bool:
    return state.stored is not None and state.stored.refresh == stored.refresh
