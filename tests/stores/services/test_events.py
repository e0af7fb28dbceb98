"""Service events: written with what they tell, numbered in the order of commits."""

from __future__ import annotations

import pytest

from app.flows.errors import UsernameTaken
from app.stores.people.erasure import SqlErasure
from app.stores.people.live_sessions import SqlLiveSessions
from app.stores.people.sessions import SqlSessions
from app.stores.services.events import NewEvent, SqlServiceEvents, append
from app.stores.sweep import SqlExpired
from tests.fakes.clock import NOON
from tests.stores.racers import follow_events, race_each, write_events
from tests.stores.samples import ALICE, BOB, session, user

WRITERS, EACH = 3, 60


@pytest.fixture
def events(database):
    return SqlServiceEvents(database)


def told(events):
    return [(one.event, one.did, one.detail) for one in events.since(1, 100)]


def test_sign_up_rename_disable_and_enable_are_events_once(users, accounts, events):
    for _ in range(2):
        users.add(user(handle="alice.test"), skeleton="allce")
    renamed = {"skeleton": "liddell", "now": NOON, "held_until": NOON + 9}
    accounts.rename(users.get(ALICE), "liddell", **renamed)
    for _ in range(2):
        accounts.disable(ALICE, NOON)
    for _ in range(2):
        accounts.enable(ALICE, NOON)

    assert told(events) == [
        ("signed_up", ALICE, {"username": "alice", "handle": "alice.test"}),
        ("renamed", ALICE, {"username": "liddell", "former_username": "alice"}),
        ("disabled", ALICE, {}),
        ("enabled", ALICE, {}),
    ]
    assert [one.seq for one in events.since(1, 100)] == [1, 2, 3, 4]
    assert events.last() == 4


def test_sign_up_that_fails_is_no_event_and_takes_no_number(users, events):
    users.add(user(), skeleton="allce")
    with pytest.raises(UsernameTaken):
        users.add(user(did=BOB), skeleton="allce")
    users.add(user(did=BOB, username="bob"), skeleton="bob")

    assert [(one.seq, one.did) for one in events.since(1, 9)] == [(1, ALICE), (2, BOB)]


def test_sign_in_with_another_handle_or_host_is_an_event(users, events):
    users.add(user(handle="alice.test", issuer="https://one.test"), skeleton="allce")
    for handle, issuer in (
        ("alice.test", "https://one.test"),
        ("al.test", "https://one.test"),
        (None, "https://two.test"),
    ):
        users.note_sign_in(ALICE, handle=handle, issuer=issuer, now=NOON)

    former = {"handle": "al.test", "former_handle": "alice.test"}
    assert told(events)[1:] == [
        ("handle_changed", ALICE, former),
        ("handle_changed", ALICE, {"handle": None, "former_handle": "al.test"}),
        ("moved", ALICE, {"host": "two.test", "former_host": "one.test"}),
    ]


def test_sessions_that_end_are_events_but_those_that_wait(database, clock, events):
    sessions = SqlSessions(database, clock)
    sessions.add(session(sid="one"), secret="one")
    sessions.add(session(sid="two", did=BOB), secret="two")
    waiting = {"pending_for": "signup", "destination": "{}"}
    sessions.add(session(sid="new", **waiting), secret="new")

    assert sessions.end("one", clock())
    assert not sessions.end("one", clock())
    SqlLiveSessions(database).end_some(9, now=clock())

    ended = [("session_ended", ALICE, {"sid": "one"})]
    assert told(events) == [*ended, ("session_ended", BOB, {"sid": "two"})]


def test_deleted_account_is_in_the_event_of_its_deletion_alone(
    database, cipher, users, events
):
    users.add(user(), skeleton="allce")
    users.add(user(did=BOB, username="bob"), skeleton="bob")

    SqlErasure(database, cipher).erase(
        users.get(ALICE), mark="deleted:1", apps=[], detail={}, held_until=0, now=NOON
    )

    names = {"username": "bob", "handle": "alice.test"}
    assert told(events) == [
        ("signed_up", None, {}),
        ("signed_up", BOB, {**names, "handle": user().handle}),
        ("deleted", ALICE, {}),
    ]


def test_sweep_deletes_the_beginning_even_if_a_clock_went_back(
    database, events, monkeypatch
):
    monkeypatch.setattr("app.stores.sweep.LIMIT", 1)
    for now in (NOON, NOON - 500, NOON + 1):
        with database.write() as connection:
            append(connection, [NewEvent("disabled", ALICE)], now=now)
    expired = SqlExpired(database)

    assert expired.delete("service_events", NOON - 400) == 0
    for left in ([2, 3], [3]):
        assert expired.delete("service_events", NOON) == 1
        assert [one.seq for one in events.since(1, 9)] == left


@pytest.mark.process
def test_reader_sees_every_event_of_racing_writers_in_order(database, database_url):
    """A number that became visible before a smaller one would be a gap for it."""
    total = WRITERS * EACH * 4 // 5
    racing = [(write_events, (f"w{number}", EACH)) for number in range(WRITERS)]

    *written, seen = race_each([*racing, (follow_events, total)], database_url)

    assert sum(written) == total
    assert seen == list(range(1, total + 1))
