"""Refresh chains on both databases: one successor, no token in clear, no other end."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.atproto.crypto.encoding import sha256_hex
from app.flows.sessions.rotation import first_token, judge, next_token
from app.stores.logins.native_logins import SqlNativeLogins
from app.stores.people.refresh_chains import SqlRefreshChains
from app.stores.people.sessions import SqlSessions
from app.stores.sweep import SqlExpired
from tests.fakes.clock import NOON
from tests.stores import racers
from tests.stores.racers import race
from tests.stores.samples import native_login, session

OPENER = "the-await-secret"


@pytest.fixture
def sessions(database, clock):
    store = SqlSessions(database, clock)
    store.add(session(sid="sid-1", app_name="Sketch"), secret="secret-1")
    return store


@pytest.fixture
def chains(database, clock, sessions):
    return SqlRefreshChains(database, clock)


@pytest.fixture
def first(chains, clock):
    chains.begin("sid-1", first_token(), opener=OPENER, now=clock())
    return chains.first("sid-1", opener=OPENER)


def test_begin_twice_keeps_the_first_token(chains, first, clock):
    chains.begin("sid-1", first_token(), opener=OPENER, now=clock())

    assert chains.first("sid-1", opener=OPENER) == first
    assert chains.first("sid-1", opener="another secret") is None


def test_rotate_replaces_the_current_token_once(chains, first, clock):
    successor = next_token(first)

    assert chains.rotate(first, successor, now=clock())
    assert not chains.rotate(first, next_token(first), now=clock())

    chain = chains.find(first)
    assert chain == chains.find(successor)
    assert judge(chain, first, clock()) == "repeat"
    assert judge(chain, successor, clock()) == "rotate"
    assert chains.successor(chain, first) == successor
    assert chains.first("sid-1", opener=OPENER) is None


@pytest.mark.parametrize("how", ["ended", "expired"])
def test_chain_of_a_session_that_is_over_is_not_found(
    chains, first, sessions, clock, how
):
    if how == "ended":
        sessions.end("sid-1", clock())
    else:
        clock.advance(sessions.get("sid-1").expires_at - clock())

    assert chains.find(first) is None
    assert not chains.rotate(first, next_token(first), now=clock())


def test_rotate_notes_the_use_of_the_session(chains, first, sessions, clock):
    clock.advance(3600)
    chains.rotate(first, next_token(first), now=clock())

    assert sessions.get("sid-1").seen_at == int(clock())


def test_database_holds_no_refresh_token_in_clear(chains, first, database, clock):
    successor = next_token(first)
    chains.rotate(first, successor, now=clock())

    with database.read() as connection:
        row = str(connection.execute(text("SELECT * FROM sessions")).all())

    for token in (first, successor):
        assert not any(part in row for part in token.split("."))


def test_sweep_clears_the_successor_and_keeps_the_session(
    chains, first, database, sessions, clock
):
    expired = SqlExpired(database)

    assert expired.delete("refresh_successors", NOON - 1) == 0
    assert expired.delete("refresh_successors", NOON) == 1
    assert expired.delete("refresh_successors", NOON) == 0
    assert chains.first("sid-1", opener=OPENER) is None
    assert chains.rotate(first, next_token(first), now=clock())
    assert sessions.get("sid-1") is not None


def test_acknowledge_clears_the_first_refresh_token(database, cipher, chains, clock):
    logins = SqlNativeLogins(database, cipher)
    logins.add(native_login(login_id=sha256_hex(OPENER)), open_secret="link")
    logins.complete(sha256_hex(OPENER), session=session(sid="sid-1"), now=clock())
    chains.begin("sid-1", first_token(), opener=OPENER, now=clock())

    assert logins.acknowledge(sha256_hex(OPENER), clock())
    assert chains.first("sid-1", opener=OPENER) is None


@pytest.mark.process
def test_four_processes_that_refresh_at_once_get_one_successor(
    database, database_url, clock
):
    chains, firsts = SqlRefreshChains(database, clock), []
    for number in range(30):
        sid = f"sid-{number}"
        SqlSessions(database, clock).add(session(sid=sid), secret=sid)
        chains.begin(sid, first_token(), opener=sid, now=clock())
        firsts.append(chains.first(sid, opener=sid))

    answers = race(racers.refresh_all, database_url, [firsts] * 4)

    assert answers == [answers[0]] * 4
    assert all(judge(chains.find(one), one, NOON) == "rotate" for one in answers[0])
    assert all(judge(chains.find(one), one, NOON) == "repeat" for one in firsts)
