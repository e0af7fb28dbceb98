"""List and end sessions as an operator: one, all of an account, or everybody's.

The sessions end here first, on every node within 10 seconds (the cache of
`flows/sessions/verify.py`). Their grants are revoked at the hosts afterwards, best
effort; the sweep revokes those that are left.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from app.atproto.syntax.grammar import Did
from app.flows.errors import SessionUnknown
from app.flows.login.destination import Destination
from app.flows.operator import Operator
from app.flows.ports import Audit, NativeLogins, Session, Sessions
from app.flows.sessions.logout import EndSession

STEP: Final = 200
"""Sessions that one transaction ends when everybody's are ended."""


class LiveSessions(Protocol):
    """The live sessions of all accounts."""

    def count(self, *, now: float) -> int:
        """Return how many there are."""

    def latest(self, limit: int, *, now: float) -> Sequence[Session]:
        """Return those that were used last."""

    def end_some(self, limit: int, *, now: float) -> Sequence[Session]:
        """End some of them in one transaction; nothing when none is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How many sessions ended, and how many apps waited for a login of the person."""

    sessions: int
    apps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ManageSessions:
    """`sessions list | end`, and the first step of `users disable`."""

    sessions: Sessions
    live: LiveSessions
    native_logins: NativeLogins
    ending: EndSession
    audit: Audit
    clock: Callable[[], float]

    def list_of(self, did: Did) -> Sequence[Session]:
        """Return the live sessions of an account, the last used first."""
        return self.sessions.of(did)

    def latest(self, limit: int) -> Sequence[Session]:
        """Return the live sessions of everybody that were used last."""
        return self.live.latest(limit, now=self.clock())

    def count(self) -> int:
        """Return how many sessions are live."""
        return self.live.count(now=self.clock())

    def one(self, sid: str) -> Session:
        """Return a live session.

        Raises:
            SessionUnknown: it is unknown, ended or expired.
        """
        session = self.sessions.get(sid)
        if session is None:
            raise SessionUnknown(sid)
        return session

    def end_one(self, sid: str, *, by: Operator) -> Session:
        """End one session and return it.

        Raises:
            SessionUnknown: as `one` does.
        """
        session = self.one(sid)
        if not self._end([session], by):
            raise SessionUnknown(sid)
        return session

    def end_of(self, did: Did, *, by: Operator) -> Ended:
        """End every session of an account, those of waiting apps and sign-ups too."""
        sessions = self.sessions.of(did)
        apps = deny_waiting_apps(self.native_logins, sessions, self.clock())
        return Ended(sessions=self._end(sessions, by), apps=len(apps))

    def end_everybody(self, *, by: Operator, ended: Callable[[int], None]) -> int:
        """End every session; call `ended` with the size of each step.

        The sweep revokes the grants, some at each run. Interrupted, it may run again.
        """
        total = 0
        while step := self.live.end_some(STEP, now=self.clock()):
            deny_waiting_apps(self.native_logins, step, self.clock())
            self.audit.record_each(
                "session_ended",
                [(session.did, session.sid) for session in step],
                now=self.clock(),
                detail=by.as_detail(),
            )
            total += len(step)
            ended(len(step))
        self.audit.record(
            "all_sessions_ended",
            now=self.clock(),
            detail={**by.as_detail(), "sessions": total},
        )
        return total

    def _end(self, sessions: Sequence[Session], by: Operator) -> int:
        return self.ending.end_all(sessions, **by.as_detail())


def deny_waiting_apps(
    native_logins: NativeLogins, sessions: Collection[Session], now: float
) -> list[str]:
    """Deny the native logins that wait for an answer of these sessions; return the ids.

    An app that was allowed and has not fetched its token gets none, because its session
    ends with the others.
    """
    held = (Destination.unpack(session.destination).native for session in sessions)
    return [
        login_id for login_id in held if login_id and native_logins.deny(login_id, now)
    ]
