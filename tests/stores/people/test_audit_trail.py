"""Reading the audit: by account, by event, since a time, page by page."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.stores.people import audit_trail
from app.stores.people.audit import SqlAudit
from app.stores.people.audit_trail import SqlAuditTrail
from tests.fakes.clock import NOON
from tests.stores.samples import ALICE, BOB


@pytest.fixture
def trail(database):
    """Events a second apart: of Alice, of Bob, of a key, and calls of Alice."""
    audit = SqlAudit(database)
    audit.record("signed_in", now=NOON, did=ALICE, sid="sid-1", detail={"app": "x"})
    audit.record("signed_in", now=NOON + 1, did=BOB)
    audit.record("key_added", now=NOON + 2)
    audit.record("xrpc", now=NOON + 3, did=ALICE)
    audit.record_each(
        "session_ended", [(ALICE, "a"), (BOB, "b")], now=NOON + 4, detail={"by": "c"}
    )
    return SqlAuditTrail(database)


def read(trail, *, did=None, event=None, since=0.0, after="", limit=10):
    return trail.read(did=did, event=event, since=since, after=after, limit=limit)


def test_read_returns_events_in_order_with_their_detail(trail):
    first, *rest = read(trail)

    assert (first.event, first.did, first.sid, first.detail, first.created_at) == (
        "signed_in",
        ALICE,
        "sid-1",
        {"app": "x"},
        NOON,
    )
    assert [one.event for one in rest[:3]] == ["signed_in", "key_added", "xrpc"]
    assert {(one.did, one.sid, one.detail["by"]) for one in rest[3:]} == {
        (ALICE, "a", "c"),
        (BOB, "b", "c"),
    }


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"did": ALICE}, 3),
        ({"event": "signed_in"}, 2),
        ({"did": BOB, "event": "signed_in"}, 1),
        ({"since": NOON + 3}, 3),
        ({"did": "unknown"}, 0),
        ({"limit": 2}, 2),
    ],
)
def test_read_with_filters_returns_those_events_alone(trail, asked, count):
    assert len(read(trail, **asked)) == count


def test_read_after_an_id_goes_on_where_it_ended(trail):
    first = read(trail, limit=4)

    rest = read(trail, after=first[-1].id)

    assert len(first) + len(rest) == 6
    assert not {one.id for one in first} & {one.id for one in rest}


def test_latest_is_bounded_begins_with_the_last_and_leaves_calls_out(trail):
    found = trail.latest(ALICE, 5)

    assert [one.event for one in found] == ["session_ended", "signed_in"]
    assert len(trail.latest(ALICE, 1)) == 1


def test_latest_reads_an_index_and_sorts_nothing(trail, sqlite_database):
    plan = text(f"EXPLAIN QUERY PLAN {audit_trail.LATEST.element.text}")
    with sqlite_database.read() as connection:
        rows = connection.execute(
            plan, {"did": ALICE, "limit": 20, "before": "g"}
        ).all()

    (step,) = [row.detail for row in rows]
    assert "USING INDEX audit_events_but_calls" in step
