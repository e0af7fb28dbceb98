"""Devices: the person's live sessions, and how to end them (/auth/account)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.atproto.client import Revocation
from app.flows.errors import NotSignedIn
from app.flows.ports import Session, Sessions

from .logout import EndSession


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicesEnded:
    """Whether this browser's session ended, and whether its host revokes the grant."""

    is_here: bool
    revocation: Revocation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """GET and POST /auth/account, for the session of a cookie."""

    sessions: Sessions
    ending: EndSession

    def list(self, session: Session) -> Sequence[Session]:
        """Return the person's sessions, this one first, then the last used first.

        Without those that wait for a sign-up or for an app's confirmation.
        """
        others = (
            other
            for other in self.sessions.of(session.did)
            if other.sid != session.sid and other.pending_for is None
        )
        return [session, *others]

    def end(self, secret: str | None, sid: str) -> DevicesEnded:
        """End one session of the person; no error if it has ended already.

        Raises:
            NotSignedIn: no live session has this secret.
        """
        session = self._session_of(secret)
        ended = next((s for s in self.sessions.of(session.did) if s.sid == sid), None)
        if ended is None:
            return DevicesEnded(is_here=False)
        revocation = self.ending.end(ended, **_by_the_person(session))
        return DevicesEnded(is_here=ended.sid == session.sid, revocation=revocation)

    def end_others(self, secret: str | None) -> DevicesEnded:
        """End every session of the person except this one.

        Raises:
            NotSignedIn: no live session has this secret.
        """
        session = self._session_of(secret)
        others = [s for s in self.sessions.of(session.did) if s.sid != session.sid]
        self.ending.end_all(others, **_by_the_person(session))
        return DevicesEnded(is_here=False)

    def _session_of(self, secret: str | None) -> Session:
        session = self.sessions.by_secret(secret) if secret else None
        if session is None:
            raise NotSignedIn("no live session")
        return session


def _by_the_person(session: Session) -> Mapping[str, Any]:
    """Return the detail of the audit event, which the ended session is told later."""
    return {"reason": "ended by the person", "device": session.device}
