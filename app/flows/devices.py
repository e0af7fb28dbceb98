"""Where a person is signed in: every session of theirs, and the end of any of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .errors import NotSignedIn
from .logout import EndSession
from .ports import Session, Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicesEnded:
    """What became of it; `issuer` was asked to revoke its grant, if one was."""

    is_here: bool
    issuer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """GET and POST /auth/account. Whoever asks is the session behind a cookie."""

    sessions: Sessions
    ending: EndSession

    def list(self, session: Session) -> Sequence[Session]:
        """Return the person's sessions, this one first, then as they were used.

        Not those that are still to be finished: a sign-up, an app to be let in.
        """
        others = (
            other
            for other in self.sessions.of(session.did)
            if other.sid != session.sid and other.destination is None
        )
        return [session, *others]

    def end(self, secret: str | None, sid: str) -> DevicesEnded:
        """End one session of the person; one that is over already is no error.

        Raises:
            NotSignedIn: no live session asks for it.
        """
        session = self._asking(secret)
        ended = next((s for s in self.sessions.of(session.did) if s.sid == sid), None)
        if ended is None:
            return DevicesEnded(is_here=False)
        issuer = self.ending.end(ended, reason="ended by its person")
        return DevicesEnded(is_here=ended.sid == session.sid, issuer=issuer)

    def end_others(self, secret: str | None) -> DevicesEnded:
        """End every session of the person but this one.

        Raises:
            NotSignedIn: no live session asks for it.
        """
        session = self._asking(secret)
        others = [s for s in self.sessions.of(session.did) if s.sid != session.sid]
        self.ending.end_all(others, reason="ended by its person")
        return DevicesEnded(is_here=False)

    def _asking(self, secret: str | None) -> Session:
        session = self.sessions.by_secret(secret) if secret else None
        if session is None:
            raise NotSignedIn("nobody asks")
        return session
