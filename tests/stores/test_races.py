"""Several processes at once: the database decides, and waiting is no failure."""

from __future__ import annotations

import pytest

from app.flows.people.signup.invitations import Invitation
from app.stores.keys import SqlSigningKeys
from app.stores.logins.auth_requests import SqlStateStore
from app.stores.people.invitations import SqlInvitations
from app.stores.people.oauth_sessions import SqlSessionStore
from app.stores.people.users import SqlUsers
from tests.fakes.clock import NOON
from tests.stores import racers
from tests.stores.racers import race
from tests.stores.samples import ALICE, BOB, auth_request, oauth_session, user

pytestmark = pytest.mark.process

PROCESSES = 4
STATES = 500
LEASES = 100


def test_a_state_is_taken_exactly_once_however_many_race_for_it(
    database, database_url, cipher, clock
):
    states = [f"state-{number}" for number in range(STATES)]
    store = SqlStateStore(database, cipher, clock)
    for state in states:
        store.put(auth_request(state))

    taken = race(racers.take_all, database_url, [states] * PROCESSES)

    assert sorted(state for lot in taken for state in lot) == sorted(states)


def test_a_session_is_leased_once_however_many_race_for_it(
    database, database_url, cipher
):
    sessions = [f"grant-{number}" for number in range(LEASES)]
    store = SqlSessionStore(database, cipher)
    for session_id in sessions:
        store.put(oauth_session(session_id=session_id))

    leased = race(racers.lease_all, database_url, [sessions] * PROCESSES)

    assert sorted(one for lot in leased for one in lot) == sorted(sessions)


def test_two_people_racing_for_a_username_one_gets_it(database, database_url):
    names = race(racers.sign_up, database_url, [(ALICE, "alice"), (BOB, "a1ice")])

    users = SqlUsers(database)
    winners = [name for name in names if name]
    assert len(winners) == 1
    assert [u.username for u in (users.get(ALICE), users.get(BOB)) if u] == winners


def test_a_person_racing_herself_gets_one_account_twice(database, database_url):
    wishes = [(ALICE, "alice"), (ALICE, "a1ice"), (ALICE, "al1ce")]

    names = race(racers.sign_up, database_url, wishes)

    assert set(names) == {SqlUsers(database).get(ALICE).username}


def test_a_name_that_is_given_up_goes_to_none_of_those_who_wait_for_it(
    database, database_url
):
    """The hold is there when the name is free, also for a sign-up that waited."""
    SqlUsers(database).add(user(username="first"), skeleton="first")
    names = ["second", "first"]
    racers.rename_away(database, names)
    racing = [(racers.rename_away, names * 60), *[(racers.take_names, names)] * 3]

    _, *got = racers.race_each(racing, database_url)

    assert got == [[], [], []]


def test_invitation_lets_as_many_in_as_it_may_however_many_race_for_it(
    database, database_url
):
    invitation = Invitation(
        invitation_id="invitation-1",
        uses=7,
        used=0,
        created_by="carol",
        created_at=NOON,
        expires_at=NOON + 100,
    )
    SqlInvitations(database).add(invitation, secret="secret")
    people = [
        ("secret", [f"p{process}x{number}" for number in range(10)])
        for process in range(PROCESSES)
    ]

    joined = race(racers.join_by_invitation, database_url, people)

    assert sum(joined) == 7
    assert SqlInvitations(database).list()[0].used == 7


def test_processes_that_start_together_make_one_first_key(
    database, database_url, cipher
):
    made = race(racers.make_first_key, database_url, ["platform"] * PROCESSES)

    (stored,) = SqlSigningKeys(database, cipher).list("platform")
    assert [kid for kid in made if kid] == [stored.kid]


def test_processes_that_start_together_make_one_schema(database_url):
    assert all(race(racers.apply_schema, database_url, [None] * PROCESSES))


def test_writers_in_several_processes_wait_for_each_other(sqlite_database, sqlite_url):
    with sqlite_database.write() as connection:
        connection.exec_driver_sql("INSERT INTO cache_entries VALUES ('n', '', 0)")

    race(racers.count_up, sqlite_url, [100] * PROCESSES)

    with sqlite_database.read() as connection:
        total = connection.exec_driver_sql("SELECT expires_at FROM cache_entries")
        assert total.scalar() == 100 * PROCESSES
