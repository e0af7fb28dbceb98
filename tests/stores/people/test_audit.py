from __future__ import annotations

import json

import pytest

from app.stores.people.audit import SqlAudit
from tests.stores.samples import ALICE


@pytest.fixture
def audit(database):
    return SqlAudit(database)


def events(database):
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM audit_events ORDER BY id")
        return rows.mappings().all()


def test_an_event_says_what_happened_to_whom_and_when(audit, database, clock):
    audit.record("signed_in", now=clock(), did=ALICE, sid="sid-1", detail={"n": 1})

    (event,) = events(database)
    assert (event["event"], event["did"], event["sid"]) == ("signed_in", ALICE, "sid-1")
    assert json.loads(event["detail"]) == {"n": 1}
    assert event["created_at"] == clock()


def test_event_without_an_account_is_recorded(audit, database, clock):
    audit.record("key_added", now=clock())

    (event,) = events(database)
    assert (event["did"], event["sid"], event["detail"]) == (None, None, "{}")


def test_events_sort_in_the_order_in_which_they_happened(audit, database, clock):
    for name in ("first", "second", "third"):
        audit.record(name, now=clock())
        clock.advance(0.001)

    assert [event["event"] for event in events(database)] == [
        "first",
        "second",
        "third",
    ]
