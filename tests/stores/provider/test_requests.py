"""Waiting authorization requests: taken once, of one kind, never stored in clear."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from app.flows.provider.authorization.request import AuthorizationRequest
from app.flows.provider.authorization.waiting import (
    GivenAnswer,
    Proof,
    WaitingRequest,
)
from app.stores.provider.requests import SqlWaitingRequests
from app.stores.sweep import SqlExpired
from tests.fakes.clock import NOON

FULL = AuthorizationRequest(
    client_id="app",
    redirect_uri="https://app.test/cb?x=1",
    scope="openid profile",
    state='ä \U0001f5dd"%20',
    nonce="n",
    prompt=frozenset({"login", "consent"}),
    max_age=0,
    login_hint="alice.test",
    id_token_hint="canary.id.token",
    code_challenge="c" * 43,
)
PUSHED = WaitingRequest(
    kind="pushed", client_id="app", request=FULL, expires_at=NOON + 90
)
HELD = replace(PUSHED, kind="held", asked_sid="sid-1", expires_at=NOON + 600)


@pytest.fixture
def requests(database):
    return SqlWaitingRequests(database)


def test_request_comes_back_as_it_was_without_its_token(requests, database):
    requests.add(HELD, secret="s" * 43)

    expected = replace(HELD, request=replace(FULL, id_token_hint=None))
    assert requests.held("s" * 43, now=NOON) == expected
    taken = requests.take("s" * 43, kind="held", client_id="app", now=NOON)
    assert taken == expected
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM provider_requests").all()
    assert "s" * 43 not in repr(rows)
    clear = ("canary", "alice.test", "app.test")
    assert [one for one in clear if one in repr(rows)] == []


def test_proof_is_noted_at_the_held_request_alone(requests):
    requests.add(HELD, secret="one")
    requests.add(PUSHED, secret="two")
    proof = Proof(sid="sid-2", prompt="login")

    for secret in ("one", "two", "none"):
        requests.note_proof(secret, proof, now=NOON)
    requests.note_proof("one", Proof(sid="late", prompt=""), now=NOON + 600)

    expected = replace(HELD, request=replace(FULL, id_token_hint=None), proof=proof)
    assert requests.held("one", now=NOON) == expected
    taken = requests.take("two", kind="pushed", client_id="app", now=NOON)
    assert taken is not None
    assert taken.proof is None


def test_request_without_options_comes_back(requests):
    plain = AuthorizationRequest(client_id="app", redirect_uri="a:/", scope="openid")
    requests.add(replace(PUSHED, request=plain), secret="one")

    taken = requests.take("one", kind="pushed", client_id="app", now=NOON)

    assert taken is not None
    assert taken.request == plain


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "held"},
        {"client_id": "other"},
        {"client_id": "APP"},
        {"now": NOON + 90},
    ],
)
def test_request_that_does_not_fit_is_not_used_up(requests, changes):
    requests.add(PUSHED, secret="one")
    fits = {"kind": "pushed", "client_id": "app", "now": NOON}

    assert requests.take("one", **(fits | changes)) is None
    assert requests.held("one", now=NOON) is None
    assert requests.take("one", **fits) is not None
    assert requests.take("one", **fits) is None


def test_held_request_is_over_once_it_was_taken(requests):
    requests.add(HELD, secret="one")
    requests.take("one", kind="held", client_id="app", now=NOON)

    assert requests.held("one", now=NOON) is None


def test_answer_of_a_request_is_kept_encrypted(requests, database):
    answer = GivenAnswer(sid="canary-1", client_id="app", code="canary-2", url="a:/b")
    requests.add(HELD, secret="one")
    requests.add(replace(HELD), secret="two")
    requests.take("one", kind="held", client_id="app", now=NOON)
    assert requests.answer("one", since=NOON - 60) is None

    requests.note_answer("one", answer)

    assert requests.answer("one", since=NOON - 60) == answer
    assert requests.answer("one", since=NOON) is None
    assert requests.answer("two", since=NOON - 60) is None
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM provider_requests").all()
    assert "canary" not in repr(rows)


def test_request_goes_to_one_of_those_who_race_for_it(requests):
    requests.add(HELD, secret="one")

    def take(_):
        return requests.take("one", kind="held", client_id="app", now=NOON)

    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(take, range(8)))

    assert sum(one is not None for one in taken) == 1


def test_requests_that_are_over_are_swept(requests, database):
    requests.add(PUSHED, secret="old")
    requests.add(HELD, secret="young")

    assert SqlExpired(database).delete("provider_requests", NOON + 90) == 1
    assert requests.held("young", now=NOON + 90) is not None
