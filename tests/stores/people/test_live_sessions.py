"""The live sessions of all accounts."""

from __future__ import annotations

import pytest

from app.stores.people.live_sessions import SqlLiveSessions
from app.stores.people.sessions import SqlSessions
from tests.fakes.clock import NOON
from tests.stores.samples import ALICE, BOB, session


@pytest.fixture
def live(database):
    return SqlLiveSessions(database)


@pytest.fixture
def sessions(database, clock):
    """Three live sessions, one that ended and one that expired."""
    sessions = SqlSessions(database, clock)
    made = {
        "older": {"seen_at": NOON - 9},
        "newer": {"seen_at": NOON - 1, "did": BOB},
        "oldest": {"seen_at": NOON - 99},
        "ended": {"ended_at": NOON},
        "expired": {"expires_at": NOON},
    }
    for sid, changes in made.items():
        sessions.add(session(sid=sid, **changes), secret=sid)
    return sessions


def test_count_and_latest_leave_ended_and_expired_sessions_out(live, sessions):
    assert live.count(now=NOON) == 3
    found = live.latest(2, now=NOON)
    assert [(one.sid, one.did) for one in found] == [("newer", BOB), ("older", ALICE)]


def test_end_some_ends_a_bounded_number_until_none_is_left(live, sessions):
    steps = [live.end_some(2, now=NOON) for _ in range(3)]

    assert [[one.sid for one in step] for step in steps] == [
        ["newer", "older"],
        ["oldest"],
        [],
    ]
    assert live.count(now=NOON) == 0
    assert sessions.get("newer") is None
