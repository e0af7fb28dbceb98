from __future__ import annotations

import pytest

from app.atproto.crypto.encoding import sha256_hex
from app.atproto.errors import BrowserMismatch
from app.flows.errors import StorageFailed
from app.stores.logins.auth_requests import SqlStateStore
from app.stores.logins.callback_answers import (
    ANSWER_LIFETIME,
    RESERVATION,
    SqlCallbackAnswers,
)
from tests.stores.samples import auth_request

STATE, SECRET = "canary-state", "canary-browser-secret"
ANSWER = "canary-set-cookie"


@pytest.fixture
def states(database, cipher, clock):
    return SqlStateStore(database, cipher, clock)


@pytest.fixture
def answers(database, states):
    states.put(auth_request(STATE, browser_secret_hash=sha256_hex(SECRET)))
    return SqlCallbackAnswers(database)


def taken(states, secret=SECRET):
    return states.take_if(STATE, lambda expected, _: expected == sha256_hex(secret))


def test_answer_of_a_taken_auth_request_is_waited_for_until_it_is_kept(
    answers, states, clock
):
    now = clock()

    assert taken(states) is not None
    assert answers.look(STATE, SECRET, now=now) == "waits"
    assert answers.read(STATE, SECRET, now=now) is None

    answers.keep(STATE, SECRET, ANSWER, now=now)

    assert answers.look(STATE, SECRET, now=now) == "replay"
    assert answers.read(STATE, SECRET, now=now) == ANSWER


@pytest.mark.parametrize(
    ("state", "secret"), [(STATE, "another"), ("another", SECRET), (STATE, "")]
)
def test_look_with_another_state_or_secret_is_unknown(
    answers, states, clock, state, secret
):
    taken(states)

    assert answers.look(state, secret, now=clock()) == "unknown"


def test_take_of_another_browser_reserves_nothing_and_keeps_the_auth_request(
    answers, states, database, clock
):
    with pytest.raises(BrowserMismatch):
        taken(states, "another")

    with database.read() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM callback_answers")
        assert count.scalar() == 0
    assert taken(states) is not None


def test_take_of_an_expired_auth_request_reserves_nothing(answers, states, clock):
    clock.advance(100_000)

    assert taken(states) is None
    assert answers.look(STATE, SECRET, now=clock()) == "unknown"


def test_answer_is_not_read_with_another_secret(answers, states, clock):
    taken(states)
    answers.keep(STATE, SECRET, ANSWER, now=clock())

    assert answers.read(STATE, "another", now=clock()) is None


def test_answer_is_kept_for_two_minutes(answers, states, clock):
    taken(states)
    answers.keep(STATE, SECRET, ANSWER, now=clock())

    assert answers.read(STATE, SECRET, now=clock() + ANSWER_LIFETIME - 1) == ANSWER
    assert answers.read(STATE, SECRET, now=clock() + ANSWER_LIFETIME) is None
    assert answers.look(STATE, SECRET, now=clock() + ANSWER_LIFETIME) == "unknown"


def test_reservation_without_an_answer_ends(answers, states, clock):
    taken(states)

    assert answers.look(STATE, SECRET, now=clock() + RESERVATION) == "unknown"


def test_answer_is_encrypted_for_its_row(answers, states, database, clock):
    taken(states)
    answers.keep(STATE, SECRET, ANSWER, now=clock())
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM callback_answers").all()

    assert not {STATE, SECRET, ANSWER} & {str(value) for value in rows[0]}
    assert all(secret not in str(rows) for secret in (STATE, SECRET, ANSWER))
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE callback_answers SET answer = 'v1.00.AA'")
    with pytest.raises(StorageFailed):
        answers.read(STATE, SECRET, now=clock())
