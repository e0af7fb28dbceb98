"""Codes and refresh tokens among processes: one winner, and no step a crash hurts."""

from __future__ import annotations

import pytest

from app.flows.sessions.rotation import first_token
from app.stores.people.sessions import SqlSessions
from app.stores.people.users import SqlUsers
from app.stores.provider.clients import SqlClients
from app.stores.provider.codes import SqlCodes
from app.stores.provider.grants import SqlGrants
from app.stores.provider.tokens import SqlAccessTokens
from tests.fakes.clock import NOON
from tests.stores.provider import token_racers
from tests.stores.provider.token_racers import killed_at
from tests.stores.racers import race
from tests.stores.samples import (
    app_grant,
    authorization_code,
    oauth_client,
    session,
    user,
)

pytestmark = pytest.mark.process

CODE = "the-code"
BEFORE_COMMIT = {
    "exchange": [
        "before take",
        "after take",
        "after start_refresh",
        "before add",
        "after add",
        "before commit",
    ],
    "refresh": ["before rotate", "after rotate", "before add", "before commit"],
}


@pytest.fixture
def grants(database, clock):
    """A person who is signed in, and has just let an app in."""
    SqlUsers(database).add(user(), skeleton="alice")
    SqlSessions(database, clock).add(session(), secret="secret-1")
    SqlClients(database).add(oauth_client(), most=9)
    store = SqlGrants(database)
    store.add(app_grant(), most=20)
    SqlCodes(database).add(authorization_code(), secret=CODE)
    return store


@pytest.fixture
def token(grants):
    """The refresh token that the app got for its code."""
    token = first_token()
    assert grants.start_refresh("grant-1", token, now=NOON)
    return token


def is_living(grants):
    return grants.living("grant-1", now=NOON) is not None


def test_code_that_four_processes_exchange_goes_to_one_and_ends_the_grant(
    grants, database, database_url
):
    given = [(CODE, f"access-{number}") for number in range(4)]

    got = race(token_racers.exchange, database_url, given)

    assert sum(one is not None for one in got) == 1
    tokens = SqlAccessTokens(database)
    assert not any(tokens.find(secret, now=NOON) for _, secret in given)
    assert not is_living(grants)


def test_sixteen_refreshes_of_four_processes_get_one_successor_that_lives(
    grants, token, database, database_url
):
    got = race(token_racers.refresh, database_url, [token] * 4)

    successors = {one for process in got for one in process}
    assert sum(map(len, got)) == 16
    [successor] = successors
    assert successor not in {None, token}
    [after] = set(token_racers.refresh(database, successor))
    assert after not in {None, successor}
    assert is_living(grants)


def test_app_that_is_removed_while_it_refreshes_keeps_no_token(
    grants, token, database, database_url
):
    race(token_racers.refresh_or_remove, database_url, [token, None, token])

    assert not is_living(grants)
    with database.read() as connection:
        left = connection.exec_driver_sql("SELECT count(*) FROM provider_tokens")
        assert left.scalar() == 0
    assert token_racers.refresh(database, token) == [None] * token_racers.THREADS


@pytest.mark.parametrize("step", BEFORE_COMMIT["exchange"])
def test_code_of_a_crash_before_the_commit_is_exchanged_again(
    grants, database, database_url, step
):
    assert killed_at(step, "exchange", database_url, CODE)

    assert SqlAccessTokens(database).find("lost", now=NOON) is None
    successor = token_racers.exchange(database, (CODE, "access"))
    assert grants.by_refresh_token(successor, now=NOON).grant == app_grant()
    assert SqlAccessTokens(database).find("access", now=NOON) is not None


def test_code_of_a_crash_after_the_commit_is_used_and_its_tokens_end(
    grants, database, database_url
):
    assert killed_at("after commit", "exchange", database_url, CODE)
    assert SqlAccessTokens(database).find("lost", now=NOON) is not None

    assert token_racers.exchange(database, (CODE, "access")) is None

    assert SqlAccessTokens(database).find("lost", now=NOON) is None
    assert not is_living(grants)


@pytest.mark.parametrize("step", [*BEFORE_COMMIT["refresh"], "after commit"])
def test_refresh_of_a_crash_is_repeated_with_one_successor(
    grants, token, database, database_url, step
):
    assert killed_at(step, "refresh", database_url, token)

    lost = SqlAccessTokens(database).find("lost", now=NOON)
    assert (lost is not None) == (step == "after commit")
    [successor] = set(token_racers.refresh(database, token))
    [after] = set(token_racers.refresh(database, successor))
    assert None not in {successor, after}
    assert token_racers.refresh(database, token) == [None] * token_racers.THREADS
    assert not is_living(grants)
