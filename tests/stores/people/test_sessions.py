from __future__ import annotations

import pytest

from app.flows.errors import StorageFailed
from app.stores.people.oauth_sessions import SqlSessionStore
from tests.stores.samples import ALICE, BOB, oauth_session, session

SECRET = "canary-session-secret"


def test_a_session_is_found_by_its_secret_and_by_its_id(sessions):
    sessions.add(session(), secret=SECRET)

    assert sessions.by_secret(SECRET) == session()
    assert sessions.get("sid-1") == session()


def test_neither_the_id_nor_the_hash_serves_as_the_secret(sessions, database):
    sessions.add(session(), secret=SECRET)
    with database.read() as connection:
        stored = connection.exec_driver_sql("SELECT secret_hash FROM sessions").scalar()

    assert sessions.by_secret("sid-1") is None
    assert sessions.by_secret(stored) is None


def test_a_session_is_gone_at_the_end_of_its_life(sessions, clock):
    sessions.add(session(expires_at=clock() + 60), secret=SECRET)
    clock.advance(59)

    assert sessions.get("sid-1") is not None

    clock.advance(1)

    assert sessions.get("sid-1") is None
    assert sessions.by_secret(SECRET) is None


def test_an_ended_session_is_gone_and_ends_once(sessions, clock):
    sessions.add(session(), secret=SECRET)

    assert sessions.end("sid-1", clock()) is True
    assert sessions.end("sid-1", clock()) is False
    assert sessions.get("sid-1") is None
    assert sessions.by_secret(SECRET) is None


def test_ending_one_session_leaves_the_others(sessions, clock):
    sessions.add(session(), secret=SECRET)
    sessions.add(session(sid="sid-2"), secret="other")
    sessions.end("sid-1", clock())

    assert sessions.by_secret("other") == session(sid="sid-2")


def test_end_of_an_expired_or_unknown_session_returns_false(sessions, clock):
    sessions.add(session(expires_at=clock()), secret=SECRET)

    assert sessions.end("sid-1", clock()) is False
    assert sessions.end("unknown", clock()) is False


def test_a_used_session_is_seen_later_and_never_earlier(sessions, clock):
    sessions.add(session(), secret=SECRET)
    sessions.touch("sid-1", clock() + 10)
    sessions.touch("sid-1", clock() + 5)

    assert sessions.get("sid-1").seen_at == clock() + 10


def test_finish_signup_clears_pending_for_and_extends_the_session(sessions, clock):
    newcomer = session(pending_for="signup", destination='{"return_to": "/"}')
    sessions.add(newcomer, secret=SECRET)

    assert sessions.get("sid-1") == newcomer

    sessions.finish_signup("sid-1", expires_at=clock() + 5)

    assert sessions.get("sid-1") == session(expires_at=clock() + 5)


def test_a_secret_belongs_to_one_session(sessions):
    sessions.add(session(), secret=SECRET)

    with pytest.raises(StorageFailed):
        sessions.add(session(sid="sid-2"), secret=SECRET)


def test_a_session_knows_what_its_host_grants_now(sessions, database, cipher):
    grants = SqlSessionStore(database, cipher)
    grants.put(oauth_session(scope="atproto account:email"))
    given = session(granted_scope="atproto account:email")
    sessions.add(given, secret=SECRET)

    assert sessions.get("sid-1").scope == "atproto account:email"

    grants.delete(given.did, given.oauth_session_id)

    assert sessions.get("sid-1") == given


def test_the_sessions_of_one_account_are_listed_as_they_were_used(sessions, clock):
    now = clock()
    sessions.add(session(sid="old", seen_at=now), secret="1")
    sessions.add(session(sid="new", seen_at=now + 5), secret="2")
    sessions.add(session(sid="ended"), secret="3")
    sessions.add(session(sid="expired", expires_at=now), secret="4")
    sessions.add(session(sid="bobs", did=BOB), secret="5")
    sessions.end("ended", now)

    assert [one.sid for one in sessions.of(ALICE)] == ["new", "old"]


@pytest.mark.parametrize(
    ("destination", "pending_for"),
    [
        (None, None),
        ("{}", "signup"),
        ('{"return_to":"/native"}', "signup"),
        ('{"identifier":"alice.test","native":"login-1"}', "native"),
    ],
)
def test_row_of_release_0_1_is_read_with_its_pending_for(
    sessions, database, destination, pending_for
):
    sessions.add(session(destination=destination), secret=SECRET)

    assert sessions.get("sid-1").pending_for == pending_for


def test_destination_cleared_by_release_0_1_clears_pending_for(sessions, database):
    sessions.add(session(pending_for="signup", destination="{}"), secret=SECRET)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE sessions SET destination = NULL")

    assert sessions.get("sid-1").pending_for is None


def test_beyond_returns_the_sessions_used_longest_ago(sessions, clock):
    now = clock()
    for place in range(5):
        used = session(sid=f"sid-{place}", seen_at=now + place)
        sessions.add(used, secret=str(place))
    sessions.add(session(sid="bobs", did=BOB), secret="bobs")
    sessions.end("sid-4", now)

    assert sessions.beyond(ALICE, 2) == ["sid-1", "sid-0"]
    assert sessions.beyond(ALICE, 4) == []


def test_ended_after_returns_pages_in_the_order_of_the_ends(sessions, clock):
    now = int(clock())
    for place in (3, 1, 2, 4):
        sessions.add(session(sid=f"sid-{place}"), secret=str(place))
        sessions.end(f"sid-{place}", now + place // 2)
    sessions.add(session(sid="live"), secret="live")

    first = sessions.ended_after(now, "", limit=2)
    second = sessions.ended_after(first[-1][1], first[-1][0], limit=5)

    assert first == [("sid-1", now), ("sid-2", now + 1)]
    assert second == [("sid-3", now + 1), ("sid-4", now + 2)]
    assert sessions.ended_after(now + 3, "", limit=5) == []
