"""GET /auth/login and /auth/session: fresh tokens, and whom a token names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.flows.errors import AccountDisabled, NotSignedIn, StorageFailed
from app.flows.sessions.session import SEEN_INTERVAL, Identify, RenewToken
from app.tokens.errors import TokenInvalid
from app.tokens.verifier import VerifiedClaims
from tests.flows.memory import MemoryStandings
from tests.stores.samples import ALICE, BOB, session, user


class FakeVerifier:
    """Takes tokens of the form `DID SID`."""

    def verify(self, token):
        did, _, sid = token.partition(" ")
        if not sid:
            raise TokenInvalid("no token of ours")
        return VerifiedClaims(
            did=did,
            sid=sid,
            handle=None,
            username="alice",
            issued_at=0,
            expires_at=0,
            jti="1",
        )


@pytest.fixture
def renew(sessions, tokens, clock):
    return RenewToken(sessions=sessions, tokens=tokens, clock=clock)


@pytest.fixture
def identify(sessions, users, clock):
    return Identify(
        verifier=FakeVerifier(),
        standings=MemoryStandings(sessions, users),
        sessions=sessions,
        clock=clock,
    )


@pytest.fixture
def alice(users):
    return users.add(user(), skeleton="allce")


def test_renew_returns_a_token_and_notes_the_use(renew, sessions, alice, clock):
    sessions.add(session(), secret="cookie")
    clock.advance(10)

    assert renew("cookie").token == "token of sid-1 for alice"
    assert sessions.get("sid-1").seen_at == clock()


@pytest.mark.parametrize("secret", [None, "", "unknown"])
def test_renew_without_a_live_session_returns_none(renew, secret):
    assert renew(secret) is None


def test_renew_with_the_session_of_an_app_returns_none(renew, sessions, alice):
    sessions.add(session(pending_for="native", destination="{}"), secret="cookie")

    assert renew("cookie") is None


def test_renew_for_a_newcomer_returns_no_token(renew, sessions):
    sessions.add(session(pending_for="signup", destination="{}"), secret="cookie")

    assert renew("cookie").token is None


def test_identify_returns_the_live_session(identify, sessions, alice):
    sessions.add(session(), secret="cookie")

    assert identify(f"{ALICE} sid-1").session == session()


@pytest.mark.parametrize("token", [None, "", f"{ALICE} unknown", f"{BOB} sid-1"])
def test_identify_without_a_session_of_the_account_raises_not_signed_in(
    identify, sessions, alice, token
):
    sessions.add(session(), secret="cookie")

    with pytest.raises(NotSignedIn):
        identify(token)


def test_identify_for_a_disabled_account_raises_account_disabled(
    identify, sessions, users
):
    users.add(user(disabled_at=1.0), skeleton="allce")
    sessions.add(session(), secret="cookie")

    with pytest.raises(AccountDisabled):
        identify(f"{ALICE} sid-1")


def test_identify_notes_the_use_every_ten_minutes(identify, sessions, alice, clock):
    sessions.add(session(), secret="cookie")
    began = clock()
    clock.advance(SEEN_INTERVAL - 1)
    identify(f"{ALICE} sid-1")

    assert sessions.get("sid-1").seen_at == began

    clock.advance(1)
    identify(f"{ALICE} sid-1")

    assert sessions.get("sid-1").seen_at == clock()


class FullDisk:
    """Sessions that can be read and not written."""

    def __init__(self, sessions):
        self.by_secret, self.get = sessions.by_secret, sessions.get

    def touch(self, sid, now):
        raise StorageFailed("database or disk is full")


def test_use_that_cannot_be_noted_fails_no_request(
    renew, identify, sessions, alice, clock
):
    sessions.add(session(), secret="cookie")
    clock.advance(SEEN_INTERVAL)

    assert replace(renew, sessions=FullDisk(sessions))("cookie").token
    assert replace(identify, sessions=FullDisk(sessions))(f"{ALICE} sid-1").session


# --- cookies of the former name


def test_issued_for_returns_the_tokens_of_the_session_alone(identify, sessions):
    sessions.add(session(), secret="mine")
    own, others = f"{ALICE} {session().sid}", f"{ALICE} another"

    assert identify.issued_for("mine", [others, "garbage", own]) == [own]
    assert identify.issued_for("unknown", [own]) == []
