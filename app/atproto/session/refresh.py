"""When a session is refreshed, and by whom.

Lazily, when its access token is about to end or was refused (requirement 7.12), and
once, whatever the number of threads, processes and nodes: a lease in the store says who
(7.6), because a refresh token that is sent twice ends the session (7.7). Who comes
second waits for the row to change.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from typing import TYPE_CHECKING, Final

from ..errors import AtprotoError, ClientRefused, RefreshBusy, SessionEnded
from ..http.types import Deadline
from .refresh_request import Renewal
from .singleflight import Flights

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..oauth.client_auth import Bindings
    from ..oauth.issuer_verification import EvidenceCollector
    from ..oauth.server import ServerAgent
    from ..records import OAuthSession
    from ..stores.protocols import SessionStore
    from ..syntax.grammar import Did

log = logging.getLogger(__name__)

LEASE: Final = 45.0
"""Seconds for which a refresh may hold the session (requirement 7.6). Nodes compare it
with their own clocks: what is left beyond BUDGET is what these may differ by."""

BUDGET: Final = 30.0
"""Seconds for one refresh, its second try included (requirement 7.6)."""

PATIENCE: Final = 60.0
"""Seconds for which to wait for another's refresh: longer than a lease."""

EARLIEST, SPREAD = 10.0, 30.0
"""A refresh is due between 10 and 40 seconds before the token ends (7.12)."""

SHORTEST_PAUSE, LONGEST_PAUSE = 0.05, 1.0


class SessionRefresh:
    """Hands out sessions whose access token is worth trying."""

    def __init__(
        self,
        *,
        agent: ServerAgent,
        evidence: EvidenceCollector,
        bindings: Bindings,
        sessions: SessionStore,
        clock: Callable[[], float],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sessions = sessions
        self._clock = clock
        self._sleep = sleep
        self._flights: Flights[OAuthSession] = Flights()
        self._renewal = Renewal(
            agent=agent,
            evidence=evidence,
            bindings=bindings,
            sessions=sessions,
            clock=clock,
            sleep=sleep,
        )

    def stored(self, did: Did, session_id: str) -> OAuthSession:
        """Return the session as it is, due or not.

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

        `rejected` is the access token that a PDS refused: whoever holds a newer one is
        not refreshed again. The deadline is the caller's patience alone; a refresh that
        has begun goes on without it and is stored for the next caller (7.10).

        Raises:
            SessionEnded: sign in again.
            RefreshBusy: the refresh takes longer than the caller has time.
            AtprotoError: in its other kinds; the session is kept, try again later.
        """
        session = self.stored(did, session_id)
        if not self._is_due(session, rejected):
            return session
        flight = self._flights.join(
            (did, session_id, rejected),
            lambda: self._refresh(session, rejected, deadline.monotonic),
        )
        try:
            return flight.result(timeout=max(deadline.remaining(), 0.0))
        except TimeoutError as error:
            raise RefreshBusy(f"the refresh of {did} goes on") from error

    def discard(self, session: OAuthSession) -> bool:
        """Delete a session that its PDS refuses even after a refresh (7.14).

        Returns false, with nothing done, when it has newer tokens by now or somebody
        is getting them: what was refused had been replaced just then.
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
        if session.access_token == rejected:
            return True
        if session.expires_at is None:
            return False  # a 401 will tell (requirement 7.1)
        left = session.expires_at - self._clock()
        return left <= (_margin(session) if session.refresh_token else 0.0)

    def _refresh(
        self,
        session: OAuthSession,
        rejected: str | None,
        monotonic: Callable[[], float],
    ) -> OAuthSession:
        """Lease the session and renew it, or wait until somebody else has."""
        did, session_id = session.did, session.session_id
        holder, pause = secrets.token_urlsafe(16), SHORTEST_PAUSE
        patience = Deadline.after(PATIENCE, monotonic)
        while self._is_due(session, rejected):
            now = self._clock()
            leased = self._sessions.lease(
                did, session_id, holder=holder, until=now + LEASE, now=now
            )
            if leased is not None:
                return self._under_lease(
                    leased, rejected, holder=holder, monotonic=monotonic
                )
            if patience.remaining() <= 0:
                raise RefreshBusy(f"somebody else's refresh of {did} does not end")
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
        """Renew what is leased; whatever happens, the lease is over afterwards."""
        if not self._is_due(session, rejected):
            self._release(session, holder)
            return session
        deadline = Deadline.after(BUDGET, monotonic)
        try:
            return self._renewal.renew(session, holder=holder, deadline=deadline)
        except SessionEnded as ended:
            log.warning("session of %s is over: %s", session.did, ended.reason)
            self._bury(session)
            raise
        except AtprotoError as error:
            # Refused as a client: our metadata or keys may be at fault (7.17, 10.3).
            level = (
                logging.ERROR if isinstance(error, ClientRefused) else logging.WARNING
            )
            log.log(level, "session of %s is not refreshed: %s", session.did, error)
            self._release(session, holder)
            raise
        except BaseException:
            # Our own fault, or our end. The caller may have left, so the log is told.
            log.exception("session of %s is not refreshed", session.did)
            self._release(session, holder)
            raise

    def _release(self, session: OAuthSession, holder: str) -> None:
        """End our lease; where that fails, what is under way matters more."""
        try:
            self._sessions.release(session.did, session.session_id, holder=holder)
        except Exception:
            log.exception("the lease of %s is left to end by itself", session.did)

    def _bury(self, session: OAuthSession) -> None:
        try:
            self._sessions.delete(session.did, session.session_id)
        except Exception:
            # Its tokens are dead at the host: the next use ends it again.
            log.exception("the ended session of %s is not deleted", session.did)


def _margin(session: OAuthSession) -> float:
    """Return how long before its end a token is replaced.

    Spread by the token itself, so that all nodes agree, and never more than a quarter
    of a short life (requirement 7.2).
    """
    seed = hashlib.sha256(session.access_token.encode()).digest()[0] / 255
    margin = EARLIEST + SPREAD * seed
    if session.expires_at is None:
        return margin
    return min(margin, (session.expires_at - session.refreshed_at) / 4)
