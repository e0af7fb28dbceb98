"""Authorization codes: taken once, bound, never stored in clear."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from app.atproto.crypto.proofs import challenge_of
from app.flows.provider.authorization.codes import (
    LIFETIME,
    Code,
    CodeRefused,
    CodeReplayed,
    IssueCode,
    RedeemCode,
)
from app.flows.provider.authorization.request import AuthorizationRequest
from app.stores.provider.codes import SqlCodes
from app.stores.sweep import SqlExpired
from tests.fakes.clock import NOON
from tests.stores.samples import ALICE, authorization_code

CB = "https://app.test/cb"
VERIFIER = "v" * 43
FITS = {"client_id": "app", "redirect_uri": "https://a.test/cb"}
REQUEST = AuthorizationRequest(
    client_id="app",
    redirect_uri=CB,
    scope="openid",
    nonce="n",
    code_challenge=challenge_of(VERIFIER),
)


@pytest.fixture
def codes(database):
    return SqlCodes(database)


@pytest.fixture
def issue(codes, clock):
    """Issue a code for the request with changes, at NOON."""

    def call(**changes):
        issuing = IssueCode(codes=codes, clock=clock)
        request = replace(REQUEST, **changes)
        return issuing(request, did=ALICE, grant_id="grant-1", auth_time=NOON - 100)

    return call


@pytest.fixture
def redeem(codes, clock):
    """Redeem a code as its client does, with changes."""
    redeeming = RedeemCode(codes=codes, clock=clock)

    def call(secret, **changes):
        good = {"client_id": "app", "redirect_uri": CB, "verifier": VERIFIER}
        return redeeming(secret, **(good | changes))

    return call


def test_code_comes_back_once_as_it_was_issued(issue, redeem, clock, database):
    secret = issue()

    assert len(secret) == 43
    assert redeem(secret) == Code(
        grant_id="grant-1",
        client_id="app",
        redirect_uri=CB,
        did=ALICE,
        scope="openid",
        nonce="n",
        code_challenge=challenge_of(VERIFIER),
        auth_time=NOON - 100,
        expires_at=NOON + LIFETIME,
    )
    with pytest.raises(CodeReplayed) as caught:
        redeem(secret)
    assert caught.value.grant_id == "grant-1"
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM provider_codes").all()
    assert secret not in repr(rows)


def test_code_ends_after_a_minute(issue, redeem, clock):
    secret = issue()
    clock.advance(LIFETIME)

    with pytest.raises(CodeRefused) as caught:
        redeem(secret)
    assert not isinstance(caught.value, CodeReplayed)


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "other"},
        {"client_id": "APP"},
        {"redirect_uri": f"{CB}/"},
        {"redirect_uri": ""},
    ],
)
def test_code_of_another_client_or_redirect_uri_is_not_used_up(issue, redeem, changes):
    secret = issue()

    with pytest.raises(CodeRefused) as caught:
        redeem(secret, **changes)

    assert not isinstance(caught.value, CodeReplayed)
    assert redeem(secret).did == ALICE


def test_replay_by_another_client_ends_nothing(issue, redeem):
    secret = issue()
    redeem(secret)

    with pytest.raises(CodeRefused) as caught:
        redeem(secret, client_id="other")
    assert not isinstance(caught.value, CodeReplayed)


@pytest.mark.parametrize(
    "verifier", [None, "", "w" * 43, "v" * 42, "v" * 44, "v" * 129, "ä" * 43]
)
def test_wrong_verifier_uses_the_code_up(issue, redeem, verifier):
    secret = issue()

    with pytest.raises(CodeRefused):
        redeem(secret, verifier=verifier)
    with pytest.raises(CodeReplayed):
        redeem(secret)


def test_verifier_without_a_challenge_is_refused(issue, redeem):
    assert redeem(issue(code_challenge=None), verifier=None).did == ALICE

    with pytest.raises(CodeRefused):
        redeem(issue(code_challenge=None), verifier=VERIFIER)


def test_unknown_code_is_refused(redeem):
    with pytest.raises(CodeRefused):
        redeem("nothing")


def test_code_goes_to_one_of_those_who_race_for_it(issue, codes):
    secret = issue()

    def take(_):
        return codes.take(secret, client_id="app", redirect_uri=CB, now=NOON)

    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(take, range(8)))

    assert sum(one is not None for one in taken) == 1


def test_codes_that_are_over_are_swept(codes, database):
    codes.add(authorization_code(), secret="old")
    codes.add(authorization_code(expires_at=NOON + 61), secret="young")

    assert SqlExpired(database).delete("provider_codes", NOON + 60) == 1
    assert codes.take("young", **FITS, now=NOON) is not None


def test_find_looks_at_a_code_of_its_client_and_leaves_it(issue, codes, redeem, clock):
    secret = issue()

    assert codes.find(secret, client_id="app", now=clock()).did == ALICE
    assert codes.find(secret, client_id="other", now=clock()) is None
    assert codes.find("nothing", client_id="app", now=clock()) is None
    assert codes.find(secret, client_id="app", now=clock() + LIFETIME) is None
    redeem(secret)
    assert codes.find(secret, client_id="app", now=clock()) is None
