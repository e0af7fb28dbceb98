"""Standing of a session: its account and groups, in one read."""

from __future__ import annotations

import pytest

from app.stores.people.groups import SqlGroups
from app.stores.people.standings import SqlStandings
from app.stores.people.users import SqlUsers
from tests.stores.samples import ALICE, BOB, session, user


@pytest.fixture
def standings(database, clock):
    return SqlStandings(database, clock)


def test_standing_has_the_session_its_account_and_its_groups(
    standings, sessions, database, clock
):
    SqlUsers(database).add(user(), skeleton="allce")
    sessions.add(session(), secret="cookie")
    for name, did in (("staff", ALICE), ("admin", ALICE), ("other", BOB)):
        SqlGroups(database).add(name, did, now=clock())

    standing = standings.of("sid-1")

    assert standing.session == session()
    assert (standing.has_account, standing.is_disabled) == (True, False)
    assert standing.groups == ("admin", "staff")


def test_standing_without_a_group_has_none(standings, sessions):
    sessions.add(session(), secret="cookie")

    assert standings.of("sid-1").groups == ()


def test_standing_of_a_disabled_account_or_without_one_says_so(
    standings, sessions, database
):
    sessions.add(session(), secret="cookie")
    assert standings.of("sid-1").has_account is False

    SqlUsers(database).add(user(disabled_at=1.0), skeleton="allce")
    assert standings.of("sid-1").is_disabled is True


def test_session_that_is_unknown_ended_or_expired_has_no_standing(
    standings, sessions, clock
):
    sessions.add(session(), secret="cookie")
    sessions.add(session(sid="sid-2", expires_at=clock() + 60), secret="other")
    sessions.end("sid-1", clock())
    clock.advance(60)

    assert [standings.of(sid) for sid in ("sid-1", "sid-2", "sid-3")] == [None] * 3
