"""CallAudit: refusals are counted for a bounded number of sessions."""

from __future__ import annotations

from app.flows.errors import TooManyRequests
from app.flows.xrpc.call_audit import MOST_COUNTED, CallAudit
from tests.flows.memory import NoLimit
from tests.stores.samples import session


def test_refusals_are_counted_for_a_bounded_number_of_sessions(clock):
    limits = NoLimit(refusal=TooManyRequests("refusal", retry_after=1))
    calls = CallAudit(audit=None, rates=limits, clock=clock)

    for number in range(MOST_COUNTED + 1):
        calls.record_refusal(session(sid=f"sid-{number}"), "not_allowed", {})

    assert len(calls._refused) <= MOST_COUNTED
    assert limits.hits[-1] == ("refusal", f"sid-{MOST_COUNTED}:not_allowed")
