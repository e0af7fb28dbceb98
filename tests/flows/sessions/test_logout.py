"""POST /auth/logout, DELETE /auth/session and /auth/account: how sessions end."""

from __future__ import annotations

import pytest

from app.atproto.client import Revocation
from app.flows.errors import NotSignedIn
from app.flows.sessions.devices import Devices
from app.flows.sessions.logout import Logout, LogoutByToken
from app.tokens.errors import TokenInvalid
from tests.stores.samples import ALICE, BOB, session

from .test_session import FakeVerifier


@pytest.fixture
def logout(sessions, ending):
    return Logout(sessions=sessions, verifier=FakeVerifier(), ending=ending)


@pytest.fixture
def logout_by_token(sessions, ending, limits):
    return LogoutByToken(
        sessions=sessions, verifier=FakeVerifier(), ending=ending, rates=limits
    )


@pytest.fixture
def devices(sessions, ending):
    return Devices(sessions=sessions, ending=ending)


@pytest.fixture(autouse=True)
def signed_in(sessions):
    sessions.add(session(), secret="cookie")
    sessions.add(session(sid="sid-2", oauth_session_id="grant-2"), secret="other")
    sessions.add(session(sid="bobs", did=BOB), secret="bobs")


@pytest.mark.parametrize(
    ("secret", "token"), [("cookie", None), (None, f"{ALICE} sid-1")]
)
def test_logout_ends_the_session_and_revokes_its_grant(
    logout, sessions, client, audit, secret, token
):
    revocation = logout(secret=secret, token=token)

    assert revocation == Revocation(issuer="https://auth.test", is_asked=True)

    assert sessions.get("sid-1") is None
    assert client.revoked == [(ALICE, "grant-1")]
    assert audit.events == [("session_ended", ALICE, {"reason": "logout"})]


@pytest.mark.parametrize("token", [None, "garbage", f"{ALICE} unknown"])
def test_logout_without_a_session_ends_nothing(logout, client, token):
    assert logout(secret="unknown", token=token) is None

    assert client.revoked == []


def test_logout_by_token_ends_the_session_of_the_token(
    logout_by_token, sessions, limits
):
    logout_by_token(f"{ALICE} sid-1", network="203.0.113.7")

    assert sessions.get("sid-1") is None
    assert limits.hits == []


@pytest.mark.parametrize(
    ("token", "error"),
    [(None, NotSignedIn), ("garbage", TokenInvalid), (f"{BOB} sid-1", NotSignedIn)],
)
def test_logout_by_an_invalid_token_counts_against_the_network(
    logout_by_token, limits, token, error
):
    with pytest.raises(error):
        logout_by_token(token, network="203.0.113.7")

    assert limits.hits == [("token", "203.0.113.7")]


def test_list_of_devices_leaves_out_sessions_that_wait(devices, sessions):
    sessions.add(session(sid="new", pending_for="signup"), secret="new")

    listed = devices.list(sessions.get("sid-2"))

    assert [one.sid for one in listed] == ["sid-2", "sid-1"]


@pytest.mark.parametrize(("sid", "is_here"), [("sid-1", True), ("sid-2", False)])
def test_end_of_a_device_says_whether_it_is_this_one(devices, sessions, sid, is_here):
    assert devices.end("cookie", sid).is_here is is_here

    assert sessions.get(sid) is None


def test_end_of_a_device_of_another_account_ends_nothing(devices, sessions):
    assert devices.end("cookie", "bobs").revocation is None

    assert sessions.get("bobs") is not None


def test_end_others_keeps_this_session(devices, sessions):
    devices.end_others("cookie")

    assert [one.sid for one in sessions.of(ALICE)] == ["sid-1"]


def test_end_without_a_session_raises_not_signed_in(devices):
    with pytest.raises(NotSignedIn):
        devices.end_others(None)
