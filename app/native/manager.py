"""`AuthManager`: signs a person in to an app, and says who is signed in.

Everything that must survive a crash is one text in one store, and each step that
changes it is a compare-and-set on the login that it belongs to (`login_state.py`). So
the rules hold across threads and processes: the last `start_login` wins, a token is
stored only for the login that is still current, and address and token are stored and
removed together.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import webbrowser
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from .browser import open_in_browser
from .clock import Clock, Expiry
from .errors import (
    LoginDenied,
    LoginExpired,
    LoginRefused,
    NotSignedIn,
    SessionStoreFailed,
)
from .login_state import Logins, StoredState
from .outcome import Backoff, OutcomeFetcher
from .records import LoginStarted, NativeSession, PendingLogin, SignedOut
from .renewal import Renewal
from .stores.store import StateStore
from .transports.http_transport import HttpTransport
from .transports.transport import (
    Claim,
    Completed,
    Denied,
    Initiation,
    Transport,
    call_within,
    end_session,
)
from .urls import parse_server_url
from .waiting import CheckStore, Waiter, Waiters, Waiting, WaitOptions

log = logging.getLogger(__name__)

ACKNOWLEDGING: Final = 5.0
"""Seconds that the caller of `await_login` waits for the acknowledgement."""
SIGNING_OUT: Final = 15.0
"""Seconds that the caller of `sign_out` waits for the service."""


UNAUTHORIZED: Final = 401


class Response(Protocol):
    """A response of an HTTP library, such as `requests` and `httpx`."""

    @property
    def status_code(self) -> int:
        """The status."""


Called = TypeVar("Called", bound=Response)


class AuthManager:
    """Signs one person in and out of one app. Threads may share it."""

    def __init__(
        self,
        store: StateStore,
        *,
        transport: Transport | None = None,
        open_browser: Callable[[str], bool] = open_in_browser,
        clock: Clock | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        """Put the parts together; nothing is contacted, read or written.

        `store` holds the session, see `open_store`. `open_browser` gets a URL and
        returns whether it could be shown.
        """
        self._clock = clock or Clock()
        self._state = StoredState(store)
        self._waiters = Waiters(self._clock)
        self._logins = Logins(self._state, self._waiters, self._clock)
        self._transport = transport or HttpTransport()
        self._fetcher = OutcomeFetcher(self._transport, backoff or Backoff())
        self._renewal = Renewal(self._state, self._transport, self._clock)
        self._open_browser = open_browser

    # --- signing in -------------------------------------------------------------------

    def start_login(
        self, server_url: str, identifier: str, *, app_name: str | None = None
    ) -> LoginStarted:
        """Start a login at a service; any other login of this app ends.

        A session that is there stays until another takes its place.

        Raises:
            ServerUrlInvalid: nothing was sent.
            ServerUnreachable, LoginRefused: the service did not answer, or refused.
            LoginSuperseded, LoginCancelled: another call has ended this login.
            SessionStoreFailed: the login could not be stored.
        """
        reserved = self._logins.reserve(parse_server_url(server_url))
        initiation = Initiation(
            identifier=identifier,
            app_name=app_name,
            code_challenge=challenge(reserved.verifier),
        )
        try:
            initiated = self._transport.initiate(reserved.server_url, initiation)
        except BaseException:
            self._logins.abandon(reserved)
            raise
        started = self._logins.start(reserved, initiated)
        return _as_started(started, expires_in=initiated.expires_in)

    def open_page(self, started: LoginStarted) -> bool:
        """Show the login's page in the system's browser; False when there is none."""
        try:
            return bool(self._open_browser(started.oauth_url))
        except (OSError, webbrowser.Error):
            log.warning("no browser could be opened", exc_info=True)
            return False

    def pending_login(self) -> LoginStarted | None:
        """Return the login under way, also after a crash of the app; None if none."""
        pending = self._state.read().pending
        if pending is None or not pending.is_awaitable:
            return None
        left = pending.expires_at - self._clock.now()
        return _as_started(pending, expires_in=left) if left > 0 else None

    def await_login(
        self,
        session_id: str,
        *,
        timeout: float | None = None,
        on_wait: Callable[[Waiting], None] | None = None,
    ) -> NativeSession:
        """Wait until the person has decided, store the session, and return it.

        Any thread may end this at once: with `start_login`, `cancel`, `sign_out` or
        `clear_session`. `timeout` is in seconds. `on_wait` is called twice a second, in
        the caller's thread.

        Raises:
            LoginNotStarted: there is no such login.
            LoginDenied, LoginExpired, LoginSuperseded, LoginCancelled: it has ended.
            LoginRefused: the service refuses the request.
            AwaitTimedOut: `timeout` has passed; the login goes on.
            SessionStoreFailed: the session could not be stored; await it again.
        """
        with self._waiters.waiter(session_id) as waiter:
            check_store = self._logins.store_check(session_id)
            found = self._logins.find(session_id)
            if isinstance(found, NativeSession):
                return found
            options = WaitOptions(timeout=timeout, on_wait=on_wait)
            try:
                return self._wait(found, waiter, check_store, options=options)
            except (LoginDenied, LoginExpired, LoginRefused):
                self._logins.abandon(found)
                raise

    def cancel(self, session_id: str) -> None:
        """Give up a login: `await_login` raises LoginCancelled. Unknown ids are fine.

        The service is not told. A token that the person approves there is not fetched.
        """
        self._logins.cancel(session_id)

    # --- being signed in --------------------------------------------------------------

    def get_session(self) -> NativeSession | None:
        """Return the session with a token that is good now; None if none is left.

        A token in the last quarter of its life is renewed at the service, which takes
        no person. Threads and processes share one renewal.

        Raises:
            ServerUnreachable, LoginRefused: the token has expired, and the service does
                not answer, or refuses for the time being. The session stays.
            SessionStoreFailed: the session could not be read or stored.
        """
        return self._renewal.session()

    def call(self, send: Callable[[str], Called]) -> Called:
        """Call a service with the token, which `send` gets; return its response.

        On status 401 the token is renewed and `send` is called once more.

        Raises:
            NotSignedIn: no person is signed in, or the session has ended.
            ServerUnreachable, LoginRefused, SessionStoreFailed: as `get_session` does.
        """
        session = self.get_session()
        if session is None:
            raise NotSignedIn
        response = send(session.token)
        if response.status_code != UNAUTHORIZED:
            return response
        renewed = self._renewal.after(session)
        if renewed is None:
            raise NotSignedIn
        return response if renewed == session else send(renewed.token)

    def clear_session(self) -> None:
        """Remove the session and any login under way, from here and from the store.

        Also works on a store that cannot be read. The service is not told: this is for
        a session that it has ended already, see `sign_out`.
        """
        self._logins.clear()

    def sign_out(self, *, timeout: float = SIGNING_OUT) -> SignedOut:
        """Remove everything here, as `clear_session`; then end it at the service.

        When the service does not answer within `timeout` seconds, the result says so.

        Raises SessionStoreFailed when the session could not be removed here; then the
        service was not told.
        """
        try:
            stored = self._logins.take_session()
        except SessionStoreFailed as unreadable:
            self._logins.clear()
            return SignedOut(trouble=str(unreadable))
        if stored is None:
            return SignedOut()
        now = self._clock.wall()
        trouble = end_session(self._transport, stored, now=now, within=timeout)
        return SignedOut(server_url=stored.session.server_url, trouble=trouble)

    # --- steps ------------------------------------------------------------------------

    def _wait(
        self,
        login: PendingLogin,
        waiter: Waiter,
        check_store: CheckStore,
        *,
        options: WaitOptions,
    ) -> NativeSession:
        claim, expiry = _claim(login), Expiry.of(login, self._clock)
        waiter.start(lambda connection: self._fetcher.fetch(claim, connection, expiry))
        ended = waiter.wait(check_store, options=options, expiry=expiry)
        if isinstance(ended, NativeSession):
            return ended
        if isinstance(ended, Denied):
            raise LoginDenied
        if not isinstance(ended, Completed):
            raise LoginExpired
        session = self._logins.store_session(login, ended)
        self._acknowledge(claim)
        return session

    def _acknowledge(self, claim: Claim) -> None:
        """Tell the service that the token is stored; a failure is harmless."""
        error = call_within(ACKNOWLEDGING, lambda: self._transport.acknowledge(claim))
        if error is not None:
            log.info("the acknowledgement was lost: %s", error)


def challenge(verifier: str) -> str:
    """Return the S256 code challenge of a verifier (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _claim(login: PendingLogin) -> Claim:
    return Claim(
        server_url=login.server_url,
        session_id=login.session_id,
        verifier=login.verifier,
    )


def _as_started(login: PendingLogin, *, expires_in: int) -> LoginStarted:
    return LoginStarted(
        oauth_url=login.oauth_url,
        session_id=login.session_id,
        user_code=login.user_code,
        expires_in=expires_in,
    )
