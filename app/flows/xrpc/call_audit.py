"""Audit trail of /auth/xrpc: a row per call that a PDS was asked, and counted refusals.

A refused call costs its caller nothing, so it must not cost us a row each: there is one
per session, reason and minute, with the number of refusals since the row before.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from app.flows.errors import StorageFailed, TooManyRequests
from app.flows.ports import Audit, RateLimit, Session

log = logging.getLogger(__name__)

MOST_COUNTED = 10_000
"""Sessions and reasons whose refusals are counted in this process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAudit:
    """Writes the end of each call."""

    audit: Audit
    rates: RateLimit
    clock: Callable[[], float]
    _refused: Counter[str] = field(default_factory=Counter, init=False, repr=False)

    def record(self, session: Session, detail: dict[str, object]) -> None:
        """Write one row.

        The call is over, and may have written something: an audit trail that cannot be
        written must not make it look as if it had failed. The log has it then.
        """
        did, sid = session.did, session.sid
        try:
            self.audit.record("xrpc", now=self.clock(), did=did, sid=sid, detail=detail)
        except StorageFailed:
            log.exception("not in the audit trail: xrpc %s %s %s", did, sid, detail)

    def record_refusal(
        self, session: Session, reason: str, detail: dict[str, object]
    ) -> None:
        """Count a refusal; write the first one of a session and reason in a minute."""
        key = f"{session.sid}:{reason}"
        if len(self._refused) >= MOST_COUNTED:
            self._refused.clear()
        self._refused[key] += 1
        try:
            self.rates.hit("refusal", key)
        except TooManyRequests:
            return
        count = self._refused.pop(key, 1)
        self.record(session, {**detail, "refused": reason, "count": count})
