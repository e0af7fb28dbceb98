from __future__ import annotations

import pytest

from app.atproto.crypto.encoding import sha256_hex
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


def test_reserve_is_first_once_and_waits_until_the_answer_is_kept(answers, clock):
    now = clock()

    assert answers.reserve(STATE, SECRET, now=now) == "first"
    assert answers.reserve(STATE, SECRET, now=now) == "waits"
    assert answers.read(STATE, SECRET, now=now) is None

    answers.keep(STATE, SECRET, ANSWER, now=now)

    assert answers.reserve(STATE, SECRET, now=now) == "replay"
    assert answers.read(STATE, SECRET, now=now) == ANSWER


def test_reservation_outlives_the_auth_request(answers, states, clock):
    answers.reserve(STATE, SECRET, now=clock())
    states.take(STATE)

    assert answers.reserve(STATE, SECRET, now=clock()) == "waits"


@pytest.mark.parametrize(
    ("state", "secret"), [(STATE, "another"), ("another", SECRET), (STATE, "")]
)
def test_reserve_with_another_state_or_secret_is_unknown_and_adds_no_row(
    answers, database, clock, state, secret
):
    assert answers.reserve(state, secret, now=clock()) == "unknown"

    with database.read() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM callback_answers")
        assert count.scalar() == 0


def test_answer_is_not_read_with_another_secret(answers, clock):
    answers.reserve(STATE, SECRET, now=clock())
    answers.keep(STATE, SECRET, ANSWER, now=clock())

    assert answers.read(STATE, "another", now=clock()) is None


def test_answer_is_kept_for_two_minutes(answers, states, clock):
    answers.reserve(STATE, SECRET, now=clock())
    states.take(STATE)
    answers.keep(STATE, SECRET, ANSWER, now=clock())

    assert answers.read(STATE, SECRET, now=clock() + ANSWER_LIFETIME - 1) == ANSWER
    assert answers.read(STATE, SECRET, now=clock() + ANSWER_LIFETIME) is None
    assert answers.reserve(STATE, SECRET, now=clock() + ANSWER_LIFETIME) == "unknown"


def test_reservation_without_an_answer_ends(answers, states, clock):
    answers.reserve(STATE, SECRET, now=clock())
    states.take(STATE)

    assert answers.reserve(STATE, SECRET, now=clock() + RESERVATION) == "unknown"


def test_answer_is_encrypted_for_its_row(answers, database, clock):
    answers.reserve(STATE, SECRET, now=clock())
    answers.keep(STATE, SECRET, ANSWER, now=clock())
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM callback_answers").all()

    assert not {STATE, SECRET, ANSWER} & {str(value) for value in rows[0]}
    assert all(secret not in str(rows) for secret in (STATE, SECRET, ANSWER))
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE callback_answers SET answer = 'v1.00.AA'")
    with pytest.raises(StorageFailed):
        answers.read(STATE, SECRET, now=clock())
