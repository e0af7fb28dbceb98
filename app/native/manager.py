"""`AuthManager`: what an app calls to sign its person in, and to know who it is.

Everything that must survive is one text in one store, and every step that changes it is
a compare-and-set on the login that the step is about (`login_state.py`). So the rules
hold across threads and processes alike: the last `start_login` wins, a token is stored
only for the login that is still wanted, and nobody is half signed in.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import webbrowser
from typing import TYPE_CHECKING, Final

from .awaits import Awaits
from .backoff import Backoff
from .clock import Clock, Expiry
from .errors import LoginDenied, LoginExpired, LoginRefused, SessionStoreFailed
from .http_transport import HttpTransport
from .listening import Listener
from .login_state import Logins
from .records import LoginStarted, NativeSession, SignedOut
from .store import Vault
from .telling import end_session, tell
from .transport import Claim, Completed, Denied, Initiation
from .urls import parse_server_url
from .waiting import Patience, wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from .awaits import Await
    from .records import PendingLogin
    from .store import StateStore
    from .transport import Transport
    from .waiting import Look, Waiting

log = logging.getLogger(__name__)

ACKNOWLEDGING: Final = 5.0
"""Seconds that the person may be kept for an acknowledgement."""
SIGNING_OUT: Final = 15.0
"""Seconds that the person may be kept until the service has ended the session."""


class AuthManager:
    """Signs one person in and out of one app. Threads may share it.

    `store` holds the session, see `open_store`. `open_browser` gets a URL and tells
    whether it could be shown.
    """

    def __init__(
        self,
        store: StateStore,
        *,
        transport: Transport | None = None,
        open_browser: Callable[[str], bool] = webbrowser.open,
        clock: Clock | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        """Put the parts together; nothing is contacted, read or written."""
        self._clock = clock or Clock()
        self._vault = Vault(store)
        self._awaits = Awaits(self._clock)
        self._logins = Logins(self._vault, self._awaits, self._clock)
        self._transport = transport or HttpTransport()
        self._listener = Listener(self._transport, backoff or Backoff())
        self._open_browser = open_browser

    # --- signing in -------------------------------------------------------------------

    def start_login(
        self, server_url: str, identifier: str, *, app_name: str | None = None
    ) -> LoginStarted:
        """Start a login at a service; any other login of this app is over.

        A session that is there stays until another takes its place.

        Raises:
            ServerUrlInvalid: nothing was sent.
            ServerUnreachable, LoginRefused: no answer of the service, or its no.
            LoginSuperseded, LoginCancelled: something else was wanted meanwhile.
            SessionStoreFailed: the login could not be kept.
        """
        draft = self._logins.reserve(parse_server_url(server_url))
        initiation = Initiation(
            identifier=identifier,
            app_name=app_name,
            code_challenge=challenge(draft.verifier),
        )
        try:
            initiated = self._transport.initiate(draft.server_url, initiation)
        except BaseException:
            self._logins.abandon(draft)
            raise
        begun = self._logins.begin(draft, initiated)
        return _started(begun, expires_in=initiated.expires_in)

    def open_page(self, started: LoginStarted) -> bool:
        """Show the login's page in the system's browser; False when there is none."""
        try:
            return bool(self._open_browser(started.oauth_url))
        except (OSError, webbrowser.Error):
            log.warning("no browser could be opened", exc_info=True)
            return False

    def pending_login(self) -> LoginStarted | None:
        """Return the login that may be awaited: after a crash, it is still there."""
        pending = self._vault.state().pending
        if pending is None or not pending.is_awaitable:
            return None
        left = pending.expires_at - self._clock.now()
        return _started(pending, expires_in=left) if left > 0 else None

    def await_login(
        self,
        session_id: str,
        *,
        timeout: float | None = None,
        on_wait: Callable[[Waiting], None] | None = None,
    ) -> NativeSession:
        """Wait until the person has decided, store the session, and return it.

        Any thread may end this at once: with `start_login`, `cancel`, `sign_out` or
        `clear_session`. `on_wait` is called twice a second, in the caller's thread.

        Raises:
            LoginNotStarted: there is nothing to wait for.
            LoginDenied, LoginExpired, LoginSuperseded, LoginCancelled: it is over.
            LoginRefused: the service does not accept who asks.
            AwaitTimedOut: `timeout` seconds are over; the login is not.
            SessionStoreFailed: the session could not be stored; awaiting again may.
        """
        with self._awaits.entered(session_id) as one:
            look = self._logins.watch(session_id)
            found = self._logins.wanted(session_id)
            if isinstance(found, NativeSession):
                return found
            patience = Patience(timeout=timeout, on_wait=on_wait)
            try:
                return self._awaited(found, one, look, patience=patience)
            except (LoginDenied, LoginExpired, LoginRefused):
                self._logins.abandon(found)
                raise

    def cancel(self, session_id: str) -> None:
        """Give up a login; who awaits it gets LoginCancelled. Unknown ones are fine.

        The service is not told: what is approved there now, nobody fetches.
        """
        self._logins.cancel(session_id)

    # --- being signed in --------------------------------------------------------------

    def get_session(self) -> NativeSession | None:
        """Return who is signed in; None when nobody is. There is no other answer."""
        stored = self._vault.state().stored
        if stored is None or stored.session.expires_at <= self._clock.wall():
            return None
        return stored.session

    def clear_session(self) -> None:
        """Forget the session and any login under way, here and in the store.

        Works on a store that cannot be read, too. The service is not told: that is
        for a session which it has ended already, see `sign_out`.
        """
        self._logins.clear()

    def sign_out(self, *, timeout: float = SIGNING_OUT) -> SignedOut:
        """Forget everything here, as `clear_session`; then end it at the service.

        A service that cannot be told in `timeout` seconds changes nothing here; the
        result says so.

        Raises:
            SessionStoreFailed: it could not be removed here, and nobody was told.
        """
        try:
            session = self._logins.take()
        except SessionStoreFailed as unreadable:
            self._logins.clear()
            return SignedOut(trouble=str(unreadable))
        if session is None:
            return SignedOut()
        now = self._clock.wall()
        trouble = end_session(self._transport, session, now=now, within=timeout)
        return SignedOut(server_url=session.server_url, trouble=trouble)

    # --- steps ------------------------------------------------------------------------

    def _awaited(
        self, login: PendingLogin, one: Await, look: Look, *, patience: Patience
    ) -> NativeSession:
        claim, expiry = _claim(login), Expiry.of(login, self._clock)
        one.begin(lambda line: self._listener.listen(claim, line, expiry))
        ended = wait(one, look, patience=patience, expiry=expiry)
        if isinstance(ended, NativeSession):
            return ended
        if isinstance(ended, Denied):
            raise LoginDenied
        if not isinstance(ended, Completed):
            raise LoginExpired
        session = self._logins.keep(login, ended)
        self._acknowledge(claim)
        return session

    def _acknowledge(self, claim: Claim) -> None:
        """Say that the token is kept; that this may fail is part of the agreement."""
        error = tell(lambda: self._transport.acknowledge(claim), within=ACKNOWLEDGING)
        if error is not None:
            log.info("the acknowledgement was lost: %s", error)


def challenge(verifier: str) -> str:
    """Return the S256 challenge of a verifier (RFC 7636 §4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _claim(login: PendingLogin) -> Claim:
    return Claim(
        server_url=login.server_url,
        session_id=login.session_id,
        verifier=login.verifier,
    )


def _started(login: PendingLogin, *, expires_in: int) -> LoginStarted:
    return LoginStarted(
        oauth_url=login.oauth_url,
        session_id=login.session_id,
        user_code=login.user_code,
        expires_in=expires_in,
    )
