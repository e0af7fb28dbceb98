"""Explain to a browser why the session that it still names has ended."""

from __future__ import annotations

from dataclasses import dataclass

from app.flows.people.trail import AuditTrail
from app.flows.ports import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnd:
    """When a session ended, and where from.

    `reason` is that of the audit, "" if it is not known any more. `device` is the
    device or the app from which the person ended it; no address is stored.
    """

    at: float
    reason: str = ""
    device: str = ""
    by_operator: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainEnd:
    """GET /auth/login with the cookie of a session that has ended."""

    sessions: Sessions
    trail: AuditTrail

    def __call__(self, secret: str | None) -> SessionEnd | None:
        """Return how the session of a cookie ended; None if that is not known.

        Known until the sweep deletes the session, when no token of it can be valid.
        """
        session = self.sessions.ended(secret) if secret else None
        if session is None or session.ended_at is None:
            return None
        event = self.trail.end_of(session.did, session.sid)
        if event is None:
            return SessionEnd(at=session.ended_at)
        return SessionEnd(
            at=session.ended_at,
            reason=str(event.detail.get("reason", "")),
            device=str(event.detail.get("device", "")),
            by_operator="operator" in event.detail,
        )
