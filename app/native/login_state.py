"""The state of a login in the store: reserved, started, stored as a session, removed.

Each step is a compare-and-set on the login's own id, under the store's lock, so it also
holds against other processes. Within this process a second lock joins the step with its
effect on the waiters: otherwise a slow thread could end a wait that began later.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from .clock import Clock
from .errors import LoginCancelled, LoginNotStarted, LoginSuperseded
from .records import (
    LoginStarted,
    NativeSession,
    PendingLogin,
    RefreshToken,
    State,
    StoredSession,
    decode,
    encode,
    hashed,
)
from .stores.store import StateStore
from .transports.transport import Completed
from .waiting import CheckStore, Waiters

INITIATING: Final = 120
"""Seconds after which a login without an answer to its initiation is forgotten."""


class StoredState:
    """A store whose text is a `State`."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self.version = store.version
        self.remove = store.remove
        self.alone = store.alone

    def read(self) -> State:
        """Return the present state."""
        return decode(self._store.read())

    def change(self, change: Callable[[State], State]) -> State:
        """Replace the state, as `StateStore.exchange` does; return the one before."""
        before = State()

        def rewrite(text: str | None) -> str | None:
            nonlocal before
            before = decode(text)
            return encode(change(before))

        self._store.exchange(rewrite)
        return before


class Logins:
    """The one login that an app may have under way, and its session."""

    def __init__(self, state: StoredState, waiters: Waiters, clock: Clock) -> None:
        self._state = state
        self._waiters = waiters
        self._clock = clock
        self._lock = threading.Lock()

    def reserve(self, server_url: str) -> PendingLogin:
        """Store that a login begins, before the service is asked; end all others."""
        now = self._clock.now()
        reserved = PendingLogin(
            login_id=secrets.token_urlsafe(16),
            server_url=server_url,
            verifier=secrets.token_urlsafe(32),
            started_at=now,
            expires_at=now + INITIATING,
        )
        with self._lock:
            self._state.change(lambda state: replace(state, pending=reserved))
            self._waiters.end(LoginSuperseded)
        return reserved

    def start(self, reserved: PendingLogin, initiated: LoginStarted) -> PendingLogin:
        """Store the service's answer to the initiation.

        Raises LoginSuperseded or LoginCancelled when the login has been replaced or
        removed meanwhile.
        """
        now = self._clock.now()
        started = replace(
            reserved,
            session_id=initiated.session_id,
            oauth_url=initiated.oauth_url,
            user_code=initiated.user_code,
            started_at=now,
            expires_at=now + initiated.expires_in,
        )

        def change(state: State) -> State:
            _raise_unless_current(state, reserved)
            return replace(state, pending=started)

        with self._lock:
            self._state.change(change)
            self._waiters.note_started(started.session_id)
        return started

    def find(self, session_id: str) -> PendingLogin | NativeSession:
        """Return a login that is under way, or the session that came of it.

        Raises:
            LoginSuperseded, LoginCancelled: it has ended.
            LoginNotStarted: there is no such login.
        """
        state = self._state.read()
        pending, stored = state.pending, state.stored
        if pending is not None and _has_id(pending, session_id):
            return pending
        if stored is not None and stored.claimed_with == hashed(session_id):
            return stored.session
        end = self._waiters.end_of(session_id)
        if end is not None:
            raise end
        raise LoginSuperseded if pending is not None else LoginNotStarted

    def store_check(self, session_id: str) -> CheckStore:
        """Return a function that calls `find` whenever the store has changed.

        Another process may have started, cancelled or finished a login; this process
        learns of it in no other way.
        """
        seen = self._state.version()

        def check() -> NativeSession | None:
            nonlocal seen
            version = self._state.version()
            if version == seen:
                return None
            seen = version
            try:
                found = self.find(session_id)
            except LoginNotStarted:
                raise LoginCancelled from None  # it was there when the wait began
            return found if isinstance(found, NativeSession) else None

        return check

    def store_session(
        self, pending: PendingLogin, completed: Completed
    ) -> NativeSession:
        """Store the session in place of its login.

        Raises LoginSuperseded or LoginCancelled when the token has come too late.
        """
        claimed_with = hashed(pending.session_id)
        stored = stored_session(
            completed, pending.server_url, claimed_with, now=self._clock.now()
        )

        def change(state: State) -> State:
            if state.stored is not None and state.stored.claimed_with == claimed_with:
                return state  # another process waited for the same login
            _raise_unless_current(state, pending)
            return replace(state, pending=None, stored=stored)

        self._state.change(change)
        self._waiters.forget(pending.session_id)
        return stored.session

    def abandon(self, pending: PendingLogin) -> None:
        """Remove a login that has failed, unless another one has taken its place."""
        self._remove_if(lambda found: found.login_id == pending.login_id)
        self._waiters.forget(pending.session_id)

    def cancel(self, session_id: str) -> None:
        """Remove a login and end its waiters with LoginCancelled."""
        with self._lock:
            self._remove_if(lambda found: _has_id(found, session_id))
            self._waiters.end(LoginCancelled, only=session_id)

    def take_session(self) -> StoredSession | None:
        """Remove everything, and return the session that was there.

        Raises SessionStoreFailed when the store cannot be read; `clear` removes it.
        """
        with self._lock:
            try:
                stored = self._state.change(lambda _state: State()).stored
            finally:
                self._waiters.end(LoginCancelled)
        return stored

    def clear(self) -> None:
        """Remove everything, readable or not."""
        with self._lock:
            try:
                self._state.remove()
            finally:  # when the token cannot be removed, no other one is stored
                self._waiters.end(LoginCancelled)

    def _remove_if(self, matches: Callable[[PendingLogin], bool]) -> None:
        def change(state: State) -> State:
            found = state.pending is not None and matches(state.pending)
            return replace(state, pending=None) if found else state

        self._state.change(change)


def stored_session(
    completed: Completed, server_url: str, claimed_with: str, *, now: int
) -> StoredSession:
    """Return what is stored of an answer of the service."""
    session = NativeSession(
        server_url=server_url,
        token=completed.token,
        did=completed.did,
        handle=completed.handle,
        username=completed.username,
        expires_at=now + completed.expires_in,
    )
    return StoredSession(
        session=session,
        claimed_with=claimed_with,
        refresh=_refresh_token(completed, now),
    )


def _refresh_token(completed: Completed, now: int) -> RefreshToken | None:
    """Return the refresh token of an answer, to be used at three quarters of its life.

    The last quarter is for a service that does not answer. None where the service, one
    of release 0.1, gave none.
    """
    if not completed.refresh_token:
        return None
    renew_at = now + completed.expires_in * 3 // 4
    return RefreshToken(token=completed.refresh_token, renew_at=renew_at)


def _has_id(pending: PendingLogin, session_id: str) -> bool:
    return pending.is_awaitable and pending.session_id == session_id


def _raise_unless_current(state: State, login: PendingLogin) -> None:
    if state.pending is None:
        raise LoginCancelled
    if state.pending.login_id != login.login_id:
        raise LoginSuperseded
