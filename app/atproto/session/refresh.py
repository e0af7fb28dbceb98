"""Session refresh: decides when a session is refreshed, and by which process.

A session is refreshed on use, when its access token is about to expire or was refused
(requirement 7.12). A refresh token that is sent twice ends the session
(requirement 7.7), so one thread of one process holds a lease in the store
(requirement 7.6); all others wait until the row changes.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ..errors import AtprotoError, ClientRefused, RefreshBusy, SessionEnded
from ..events import Observer, RefreshEnded
from ..http.turns import waiting
from ..http.types import Deadline
from ..oauth.server import GrantRefused
from ..records import OAuthSession
from ..syntax.grammar import Did
from .refresh_request import RefreshRequest
from .singleflight import SingleFlight

log = logging.getLogger(__name__)

LEASE: Final = 45.0
"""Seconds for which a refresh may hold the session (requirement 7.6). Nodes compare it
with their own clocks, which may differ by LEASE - BUDGET."""

BUDGET: Final = 30.0
"""Seconds for one refresh, including its second attempt (requirement 7.6)."""

PATIENCE: Final = 60.0
"""Seconds to wait for the refresh of another process: longer than a lease."""

EARLIEST, SPREAD = 10.0, 30.0
"""A refresh is due 10 to 40 seconds before the token expires (requirement 7.12)."""

RETRY_AFTER: Final = 300.0
"""Seconds between refreshes of a session after a refusal in a server's own words."""

KEPT_AFTER_REFUSAL: Final = 86_400.0
"""Seconds for which such a session is kept (requirement 7.17)."""

SHORTEST_PAUSE, LONGEST_PAUSE = 0.05, 1.0


class SessionRefresh:
    """Returns sessions with a usable access token."""

    def __init__(self, request: RefreshRequest, *, observe: Observer) -> None:
        self._observe = observe
        self._sessions = request.sessions
        self._clock = request.clock
        self._sleep = request.sleep
        self._flights: SingleFlight[OAuthSession] = SingleFlight()
        self._request = request

    def stored(self, did: Did, session_id: str) -> OAuthSession:
        """Return the stored session, due or not.

        Raises:
            SessionEnded: there is no such session.
        """
        session = self._sessions.get(did, session_id)
        if session is None:
            raise SessionEnded("unknown")
        return session

    def current(
        self,
        did: Did,
        session_id: str,
        *,
        deadline: Deadline,
        rejected: str | None = None,
    ) -> OAuthSession:
        """Return the session, refreshed if that is due.

        `rejected` is the access token that a PDS refused: a session with a newer one is
        not refreshed again. The deadline limits how long the caller waits; a refresh
        that has begun continues and is stored for the next caller (requirement 7.10).

        Raises:
            SessionEnded: sign in again. With the reason `refused` the session is kept
                for a day, and a later call may succeed (requirement 7.17).
            RefreshBusy: the refresh takes longer than the deadline.
            AtprotoError: any other kind; the session is kept, try again later.
        """
        session = self.stored(did, session_id)
        if not self._is_due(session, rejected):
            return session
        flight = self._flights.join(
            (did, session_id, rejected),
            lambda: self._refresh(session, rejected, deadline.monotonic),
        )
        try:
            with waiting():
                return flight.result(timeout=max(deadline.remaining(), 0.0))
        except TimeoutError as error:
            raise RefreshBusy(f"the refresh of {did} is still running") from error

    def wait(self) -> None:
        """Wait until the refreshes that are running have ended and are stored."""
        self._flights.wait()

    def discard(self, session: OAuthSession) -> bool:
        """Delete a session that its PDS refuses after a refresh (requirement 7.14).

        Returns False, without deleting, when the session has newer tokens by now or a
        refresh is running: then the refused token had just been replaced.
        """
        holder, now = secrets.token_urlsafe(16), self._clock()
        key = session.did, session.session_id
        stored = self._sessions.lease(*key, holder=holder, until=now + LEASE, now=now)
        if stored is None:
            return self._sessions.get(*key) is None
        if stored.access_token != session.access_token:
            self._release(session, holder)
            return False
        self._sessions.delete(*key)
        log.warning("session of %s is over: its PDS refuses it", session.did)
        return True

    def _is_due(self, session: OAuthSession, rejected: str | None) -> bool:
        if session.access_token == rejected or session.refused_at is not None:
            return True
        if session.expires_at is None:
            return False  # the PDS answers 401 when it has expired (requirement 7.1)
        left = session.expires_at - self._clock()
        return left <= (_margin(session) if session.refresh_token else 0.0)

    def _refresh(
        self,
        session: OAuthSession,
        rejected: str | None,
        monotonic: Callable[[], float],
    ) -> OAuthSession:
        """Lease the session and refresh it, or wait until another process has."""
        did, session_id = session.did, session.session_id
        holder, pause = secrets.token_urlsafe(16), SHORTEST_PAUSE
        patience = Deadline.after(PATIENCE, monotonic)
        while self._is_due(session, rejected):
            self._check_refused(session)
            now = self._clock()
            leased = self._sessions.lease(
                did, session_id, holder=holder, until=now + LEASE, now=now
            )
            if leased is not None:
                return self._under_lease(
                    leased, rejected, holder=holder, monotonic=monotonic
                )
            if patience.remaining() <= 0:
                self._observe(RefreshEnded("busy"))
                raise RefreshBusy(f"another refresh of {did} does not end")
            self._sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            session = self.stored(did, session_id)
        return session

    def _under_lease(
        self,
        session: OAuthSession,
        rejected: str | None,
        *,
        holder: str,
        monotonic: Callable[[], float],
    ) -> OAuthSession:
        """Refresh a leased session; the lease is released in every case."""
        if not self._is_due(session, rejected):
            self._release(session, holder)
            return session
        deadline = Deadline.after(BUDGET, monotonic)
        try:
            self._check_refused(session)
            return self._send(session, holder=holder, deadline=deadline)
        except GrantRefused as refusal:
            log.warning("session of %s is not refreshed: %s", session.did, refusal)
            if not self._is_unusable(session, rejected):
                self._release(session, holder)
                raise
            self._note_refused(session, holder)
            raise SessionEnded("refused") from refusal
        except SessionEnded as ended:
            if ended.reason == "refused":
                self._release(session, holder)
                raise
            log.warning("session of %s is over: %s", session.did, ended.reason)
            self._delete_ended(session)
            raise
        except AtprotoError as error:
            # ClientRefused: our metadata or keys may be wrong (requirement 10.3).
            level = (
                logging.ERROR if isinstance(error, ClientRefused) else logging.WARNING
            )
            log.log(level, "session of %s is not refreshed: %s", session.did, error)
            self._release(session, holder)
            raise
        except BaseException:
            # A bug or a shutdown. The caller may be gone, so it is logged here.
            log.exception("session of %s is not refreshed", session.did)
            self._release(session, holder)
            raise

    def _send(
        self, session: OAuthSession, *, holder: str, deadline: Deadline
    ) -> OAuthSession:
        """Send the refresh, and report how it ended."""
        outcome = "failed"
        try:
            renewed = self._request.send(session, holder=holder, deadline=deadline)
            outcome = "refreshed"
        except GrantRefused:
            outcome = "refused"
            raise
        except SessionEnded as ended:
            outcome = ended.reason
            raise
        finally:
            self._observe(RefreshEnded(outcome))
        return renewed

    def _is_unusable(self, session: OAuthSession, rejected: str | None) -> bool:
        """Tell whether the access token was refused or has expired."""
        if session.access_token == rejected or session.refused_at is not None:
            return True
        return session.expires_at is not None and session.expires_at <= self._clock()

    def _check_refused(self, session: OAuthSession) -> None:
        """Raise SessionEnded while a refused session is not due for another try."""
        if session.retry_at is not None and self._clock() < session.retry_at:
            raise SessionEnded("refused")

    def _note_refused(self, session: OAuthSession, holder: str) -> None:
        """Keep a refused session for a day, then delete it."""
        now = self._clock()
        first = now if session.refused_at is None else session.refused_at
        if now - first >= KEPT_AFTER_REFUSAL:
            self._delete_ended(session)
            return
        refused = replace(session, refused_at=first, retry_at=now + RETRY_AFTER)
        self._sessions.replace(refused, holder=holder)

    def _release(self, session: OAuthSession, holder: str) -> None:
        """Release our lease; a failure is logged and not raised."""
        try:
            self._sessions.release(session.did, session.session_id, holder=holder)
        except Exception:
            log.exception("the lease of %s is not released; it expires", session.did)

    def _delete_ended(self, session: OAuthSession) -> None:
        try:
            self._sessions.delete(session.did, session.session_id)
        except Exception:
            # Its tokens are revoked at the host: the next use ends it again.
            log.exception("the ended session of %s is not deleted", session.did)


def _margin(session: OAuthSession) -> float:
    """Return the seconds before its expiry at which a token is refreshed.

    Derived from the token, so that all nodes agree, and at most a quarter of its
    lifetime (requirement 7.2).
    """
    seed = hashlib.sha256(session.access_token.encode()).digest()[0] / 255
    margin = EARLIEST + SPREAD * seed
    if session.expires_at is None:
        return margin
    return min(margin, (session.expires_at - session.refreshed_at) / 4)
