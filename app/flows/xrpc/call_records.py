"""The trace that a call leaves: who, what and how it went, never what was said."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from app.flows.errors import StorageFailed
from app.flows.ports import Audit, Session

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class CallRecord:
    """What the audit trail will say of one call; filled in as it becomes known."""

    nsid: str
    verb: str
    caller: str
    """The origin of the page that called, or `bearer`."""
    began: float
    session: Session | None = None
    collections: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCall:
    """The end of GET and POST /auth/xrpc/NSID, whatever came of it."""

    audit: Audit
    clock: Callable[[], float]

    def record(self, record: CallRecord, *, status: int, seconds: float) -> None:
        """Write it to the audit trail.

        The call is over, and may have written something: a trail that cannot be
        written must not make it look as if it had failed. The log has it then.
        """
        if record.session is None:
            return
        detail = {
            "nsid": record.nsid,
            "method": record.verb,
            "collections": list(record.collections),
            "caller": record.caller,
            "status": status,
            "milliseconds": round(seconds * 1000),
        }
        did, sid = record.session.did, record.session.sid
        try:
            self.audit.record("xrpc", now=self.clock(), did=did, sid=sid, detail=detail)
        except StorageFailed:
            log.exception("not in the audit trail: xrpc %s %s %s", did, sid, detail)
