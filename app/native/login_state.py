"""The life of a login in the store: reserved, begun, kept as a session, or given up.

Each step is a compare-and-set on the login's own id, under the store's lock, so it
holds against other processes. Within this process one more lock joins the step with
what it means for the awaits: else a slow thread could end an await that began later.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from .errors import LoginCancelled, LoginNotStarted, LoginSuperseded
from .records import NativeSession, PendingLogin, StoredSession, hashed
from .state import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from .awaits import Awaits
    from .clock import Clock
    from .store import Vault
    from .transport import Completed, Initiated

INITIATING: Final = 120
"""Seconds after which a login that never heard from the service is forgotten."""


class Logins:
    """The one login that an app may have under way, and its session."""

    def __init__(self, vault: Vault, awaits: Awaits, clock: Clock) -> None:
        """Read and write nothing yet."""
        self._vault = vault
        self._awaits = awaits
        self._clock = clock
        self._lock = threading.Lock()

    def reserve(self, server_url: str) -> PendingLogin:
        """Keep that a login begins, before the service is asked; end every other."""
        now = self._clock.now()
        draft = PendingLogin(
            login_id=secrets.token_urlsafe(16),
            server_url=server_url,
            verifier=secrets.token_urlsafe(32),
            started_at=now,
            expires_at=now + INITIATING,
        )
        with self._lock:
            self._vault.change(lambda state: replace(state, pending=draft))
            self._awaits.end(LoginSuperseded)
        return draft

    def begin(self, draft: PendingLogin, initiated: Initiated) -> PendingLogin:
        """Keep what the service answered.

        Raises:
            LoginSuperseded, LoginCancelled: the login is not wanted any more.
        """
        now = self._clock.now()
        begun = replace(
            draft,
            session_id=initiated.session_id,
            oauth_url=initiated.oauth_url,
            user_code=initiated.user_code,
            started_at=now,
            expires_at=now + initiated.expires_in,
        )
        with self._lock:
            self._step(draft, lambda state: replace(state, pending=begun))
            self._awaits.note(begun.session_id)
        return begun

    def wanted(self, session_id: str) -> PendingLogin | NativeSession:
        """Return the login to listen for, or the session that it has become.

        Raises:
            LoginSuperseded, LoginCancelled: it was, and is over.
            LoginNotStarted: nothing is known of it.
        """
        state = self._vault.state()
        pending, stored = state.pending, state.stored
        if pending is not None and _is_of(pending, session_id):
            return pending
        if stored is not None and stored.claimed_with == hashed(session_id):
            return stored.session
        fate = self._awaits.fate(session_id)
        if fate is not None:
            raise fate
        raise LoginSuperseded if pending is not None else LoginNotStarted

    def watch(self, session_id: str) -> Callable[[], NativeSession | None]:
        """Return what tells, as `wanted`, whenever the store has changed from now on.

        Another process may have started, cancelled or finished a login; this one
        notices nothing else of it.
        """
        seen = self._vault.version()

        def look() -> NativeSession | None:
            nonlocal seen
            version = self._vault.version()
            if version == seen:
                return None
            seen = version
            try:
                found = self.wanted(session_id)
            except LoginNotStarted:
                raise LoginCancelled from None  # it was there a moment ago
            return found if isinstance(found, NativeSession) else None

        return look

    def keep(self, pending: PendingLogin, completed: Completed) -> NativeSession:
        """Store the session in place of its login, durably, or not at all.

        Raises:
            LoginSuperseded, LoginCancelled: the token has come too late.
        """
        session = NativeSession(
            server_url=pending.server_url,
            token=completed.token,
            did=completed.did,
            handle=completed.handle,
            username=completed.username,
            expires_at=self._clock.now() + completed.expires_in,
        )
        claimed_with = hashed(pending.session_id)
        stored = StoredSession(session=session, claimed_with=claimed_with)

        def kept(state: State) -> State:
            if state.stored is not None and state.stored.claimed_with == claimed_with:
                return state  # another await of the same login was quicker
            _raise_unless_wanted(state, pending)
            return replace(state, pending=None, stored=stored)

        self._vault.change(kept)
        self._awaits.forget(pending.session_id)
        return session

    def abandon(self, pending: PendingLogin) -> None:
        """Forget a login that came to nothing, unless another has its place."""
        self._withdraw(lambda kept: kept.login_id == pending.login_id)
        self._awaits.forget(pending.session_id)

    def cancel(self, session_id: str) -> None:
        """Give a login up."""
        with self._lock:
            self._withdraw(lambda kept: _is_of(kept, session_id))
            self._awaits.end(LoginCancelled, only=session_id)

    def take(self) -> NativeSession | None:
        """Forget everything, and return the session that was there.

        Raises:
            SessionStoreFailed: what is there cannot be read; `clear` removes it.
        """
        with self._lock:
            try:
                stored = self._vault.change(lambda _state: State()).stored
            finally:
                self._awaits.end(LoginCancelled)
        return stored.session if stored else None

    def clear(self) -> None:
        """Forget everything, readable or not."""
        with self._lock:
            try:
                self._vault.remove()
            finally:  # who cannot remove a token must at least not store another
                self._awaits.end(LoginCancelled)

    def _withdraw(self, is_it: Callable[[PendingLogin], bool]) -> None:
        def without(state: State) -> State:
            found = state.pending is not None and is_it(state.pending)
            return replace(state, pending=None) if found else state

        self._vault.change(without)

    def _step(self, pending: PendingLogin, change: Callable[[State], State]) -> None:
        def stepped(state: State) -> State:
            _raise_unless_wanted(state, pending)
            return change(state)

        self._vault.change(stepped)


def _is_of(pending: PendingLogin, session_id: str) -> bool:
    return pending.is_awaitable and pending.session_id == session_id


def _raise_unless_wanted(state: State, login: PendingLogin) -> None:
    if state.pending is None:
        raise LoginCancelled
    if state.pending.login_id != login.login_id:
        raise LoginSuperseded
