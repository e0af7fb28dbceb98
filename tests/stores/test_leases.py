"""One lease, held by one process at a time on either database."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.stores.leases import SqlLease
from app.stores.people.oauth_sessions import SqlSessionStore
from app.stores.sql import postgresql
from tests.stores.racers import race, sweep
from tests.stores.samples import ALICE, oauth_session

POSTGRESQL_NOW = postgresql.NOW
HERE, THERE = "this node", "another node"


@pytest.fixture
def lease(database):
    return SqlLease(database, "sweep")


def take(lease, holder, clock, seconds=60):
    return lease.take(holder, until=clock() + seconds, now=clock())


def test_a_lease_has_one_holder(lease, clock):
    assert take(lease, HERE, clock)
    assert not take(lease, THERE, clock)


def test_another_lease_is_another_matter(lease, database, clock):
    assert take(lease, HERE, clock)
    assert take(SqlLease(database, "something else"), THERE, clock)


def test_its_holder_prolongs_it(lease, clock):
    take(lease, HERE, clock)
    clock.advance(59)
    assert take(lease, HERE, clock)
    clock.advance(59)

    assert not take(lease, THERE, clock)


def test_a_lease_whose_holder_died_ends_by_itself(lease, clock):
    take(lease, HERE, clock)
    clock.advance(60)

    assert take(lease, THERE, clock)
    assert not take(lease, HERE, clock)


def test_a_released_lease_is_free_at_once(lease, clock):
    take(lease, HERE, clock)
    lease.release(HERE)

    assert take(lease, THERE, clock)


def test_release_of_another_holders_lease_changes_nothing(lease, clock):
    take(lease, HERE, clock)
    lease.release(THERE)

    assert not take(lease, THERE, clock)


@pytest.mark.process
def test_two_sweeps_at_once_one_runs(database, database_url):
    with database.write() as connection:
        connection.execute(
            text("INSERT INTO cache_entries VALUES (:key, '', 0)"),
            [{"key": f"stale-{number}"} for number in range(3)],
        )

    outcomes = race(sweep, database_url, [1.0, 1.0])

    (swept,) = [one for one in outcomes if one is not None]
    assert swept.cache_entries == 3
    assert outcomes.count(None) == 1


@pytest.mark.process
def test_the_next_sweep_finds_the_lease_free(database, database_url):
    first, second = (race(sweep, database_url, [0.0]) for _ in range(2))

    assert None not in (*first, *second)


@pytest.fixture
def own_clock(monkeypatch):
    """The clock of PostgreSQL decides, as it does outside the tests."""
    monkeypatch.setattr(postgresql, "NOW", POSTGRESQL_NOW)


@pytest.mark.process
@pytest.mark.parametrize("ahead", [-3_600.0, 3_600.0])
def test_node_whose_clock_is_wrong_takes_no_lease_of_another(
    own_clock, postgres_database, clock, ahead
):
    lease = SqlLease(postgres_database, "sweep")
    wrong = clock.skewed(ahead)

    assert take(lease, HERE, clock)
    assert not take(lease, THERE, wrong)
    lease.release(HERE)
    assert take(lease, THERE, wrong)
    assert not take(lease, HERE, clock)


@pytest.mark.process
@pytest.mark.parametrize("ahead", [-3_600.0, 3_600.0])
def test_node_whose_clock_is_wrong_takes_no_refresh_lease_of_another(
    own_clock, postgres_database, cipher, clock, ahead
):
    sessions = SqlSessionStore(postgres_database, cipher)
    sessions.put(oauth_session())

    def lease(holder, now):
        return sessions.lease(ALICE, "grant-1", holder=holder, until=now + 45, now=now)

    assert lease(HERE, clock()) is not None
    assert lease(THERE, clock() + ahead) is None
