"""POST /auth/native/refresh: rotation, the grace of a lost answer, and reuse."""

from __future__ import annotations

import pytest

from app.atproto.crypto.encoding import sha256_hex
from app.flows.errors import RefreshRefused, TooManyRequests
from app.flows.sessions.rotation import (
    GRACE,
    RefreshChain,
    chain_of,
    first_token,
    judge,
    next_token,
)

PHONE = "203.0.113.7"
UNKNOWN = f"{'a' * 22}.{'A' * 43}"
MALFORMED = ["", "x", f"{'a' * 22}.{'b' * 42}", f"{'a' * 22}.{'b' * 43}\n", "é" * 66]


@pytest.fixture
def first(app_waits, allowed):
    return app_waits.look(allowed.await_secret).refresh_token


@pytest.fixture
def refresh(refreshing):
    return lambda token: refreshing(token, address=PHONE).refresh_token


def refused(refresh, token, kind=""):
    with pytest.raises(RefreshRefused) as error:
        refresh(token)
    assert error.value.kind == kind


# --- the rule -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "elapsed", "verdict"),
    [
        ("current", 0, "rotate"),
        ("current", 10**6, "rotate"),
        ("previous", 0, "repeat"),
        ("previous", -30, "repeat"),
        ("previous", GRACE, "repeat"),
        ("previous", GRACE + 1, "reused"),
        ("older", 0, "reused"),
    ],
)
def test_judge_of_a_token_and_its_age_returns_the_verdict(token, elapsed, verdict):
    chain = RefreshChain(
        owner="sid-1",
        current=sha256_hex("current"),
        previous=sha256_hex("previous"),
        rotated_at=1000,
        successor="current",
    )

    assert judge(chain, token, 1000 + elapsed) == verdict


def test_refresh_tokens_of_a_chain_share_its_name_and_no_secret():
    one = first_token()
    other = next_token(one)

    assert chain_of(one) == chain_of(other) != chain_of(first_token())
    assert one.partition(".")[2] != other.partition(".")[2]


# --- the use case ---------------------------------------------------------------------


def test_look_twice_returns_the_same_refresh_token(app_waits, allowed, first):
    assert app_waits.look(allowed.await_secret).refresh_token == first


def test_refresh_returns_token_account_and_successor(refreshing, first, sessions):
    sessions.live["sid-1"] = session = sessions.live["sid-1"]

    outcome = refreshing(first, address=PHONE)

    assert outcome.document() == {
        "status": "completed",
        "token": "token-2",
        "did": session.did,
        "handle": "alice.test",
        "username": "alice",
        "expires_in": 86_400,
        "refresh_token": outcome.refresh_token,
        "refresh_expires_in": int(session.expires_at - refreshing.clock()),
    }
    assert outcome.refresh_token != first
    assert outcome.refresh_token not in repr(outcome)


def test_refresh_again_within_the_grace_returns_the_same_successor(
    refresh, first, clock
):
    successor = refresh(first)
    clock.advance(GRACE)

    assert {refresh(first) for _ in range(3)} == {successor}
    assert refresh(successor) != successor


def test_refresh_again_after_the_grace_ends_the_session(
    refresh, first, clock, sessions
):
    successor = refresh(first)
    clock.advance(GRACE + 1)

    refused(refresh, first, "reused")
    assert sessions.live == {}
    refused(refresh, successor)


def test_refresh_again_after_its_successor_was_used_ends_the_session(
    refresh, first, sessions
):
    refresh(refresh(first))

    refused(refresh, first, "reused")
    assert sessions.live == {}


def test_look_after_the_first_refresh_token_was_used_returns_expired(
    app_waits, allowed, refresh, first
):
    refresh(first)

    assert app_waits.look(allowed.await_secret).status == "expired"


def test_refresh_that_loses_the_race_returns_the_winners_successor(
    refresh, first, chains, monkeypatch
):
    rotate, won = chains.rotate, []

    def loses(token, successor, *, now):
        won.append(next_token(token))
        rotate(token, won[0], now=now)
        return False

    monkeypatch.setattr(chains, "rotate", loses)

    assert refresh(first) == won[0]


@pytest.mark.parametrize("token", [*MALFORMED, UNKNOWN])
def test_refresh_with_an_unknown_token_counts_and_ends_nothing(
    refresh, first, limits, sessions, token
):
    refused(refresh, token)

    assert limits.hits == [("token", PHONE)]
    assert "sid-1" in sessions.live
    assert refresh(first)


def test_refresh_of_a_disabled_account_is_refused_and_not_rotated(
    refresh, first, tokens
):
    tokens.disabled = True
    refused(refresh, first)
    tokens.disabled = False

    assert refresh(first)


def test_refresh_above_the_limit_of_its_session_raises_too_many_requests(
    refresh, first, limits
):
    limits.refusal = TooManyRequests("call", 5)

    with pytest.raises(TooManyRequests):
        refresh(first)

    limits.refusal = None
    assert limits.hits == [("call", "refresh sid-1")]
    assert refresh(first)
