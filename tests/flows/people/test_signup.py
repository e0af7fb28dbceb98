"""GET and POST /auth/signup: a newcomer picks a username."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.atproto.errors import HostUnreachable
from app.flows.errors import (
    NativeLoginClosed,
    NotSignedIn,
    SignupFinished,
    UsernameReserved,
    UsernameTaken,
)
from app.flows.login.destination import Destination
from app.flows.people.signup.admission import SignupRule
from app.flows.people.signup.choose import ChooseUsername
from app.flows.people.signup.usernames import Usernames, skeleton
from tests.stores.samples import ALICE, BOB, session, user

LIFETIME = 30 * 86_400.0
ADDRESS = "198.51.100.7"


@pytest.fixture
def profiles():
    """The sessions whose accounts' profiles were asked for."""
    return []


@pytest.fixture
def choose_username(
    sessions, users, tokens, audit, clock, admission, logins, ending, limits, profiles
):
    return ChooseUsername(
        sessions=sessions,
        users=users,
        usernames=Usernames.load(),
        admission=admission,
        native_logins=logins,
        ending=ending,
        note_profile=profiles.append,
        limits=limits,
        tokens=tokens,
        audit=audit,
        clock=clock,
        session_lifetime=LIFETIME,
    )


@pytest.fixture
def newcomer(sessions, clock):
    made = session(
        pending_for="signup",
        destination=Destination(return_to="/next").pack(),
        expires_at=clock() + 3600,
    )
    sessions.add(made, secret="cookie")
    return made


@pytest.fixture
def newcomer_of_app(sessions):
    made = session(
        pending_for="native", destination=Destination(native="login-1").pack()
    )
    sessions.add(made, secret="held")
    return made


def test_newcomer_gets_a_suggestion_from_the_handle(choose_username, newcomer):
    assert choose_username.newcomer("cookie").suggestion == "alice"


def test_choose_creates_the_account_and_extends_the_session(
    choose_username, newcomer, sessions, users, audit, clock
):
    done = choose_username.choose("cookie", " Alice ", address=ADDRESS)

    assert users.get(ALICE).username == "alice"
    assert done.destination.return_to == "/next"
    assert done.signed_in.token == "token of sid-1 for alice"
    assert done.signed_in.session.expires_at == clock() + LIFETIME
    assert sessions.by_secret("cookie") == done.signed_in.session
    assert done.signed_in.session.pending_for is None
    assert audit.events == [("signed_up", ALICE, {})]


def test_choose_again_returns_the_account_that_exists(choose_username, newcomer, users):
    choose_username.choose("cookie", "alice", address=ADDRESS)

    assert choose_username.choose(
        "cookie", "another", address=ADDRESS
    ).signed_in.user == users.get(ALICE)


@pytest.mark.parametrize(
    ("typed", "error"), [("admin", UsernameReserved), ("b0b", UsernameTaken)]
)
def test_choose_with_a_refused_name_keeps_the_newcomer(
    choose_username, newcomer, users, sessions, typed, error
):
    users.add(user(did=BOB, username="bob"), skeleton=skeleton("bob"))

    with pytest.raises(error):
        choose_username.choose("cookie", typed, address=ADDRESS)

    assert users.get(ALICE) is None
    assert sessions.by_secret("cookie") == newcomer


def test_newcomer_with_an_account_raises_signup_finished(
    choose_username, newcomer, users
):
    users.add(user(), skeleton="allce")

    with pytest.raises(SignupFinished):
        choose_username.newcomer("cookie")


@pytest.mark.parametrize("secret", [None, "unknown", "held"])
def test_choose_without_a_newcomers_session_raises_not_signed_in(
    choose_username, newcomer_of_app, secret
):
    with pytest.raises(NotSignedIn):
        choose_username.choose(secret, "alice", address=ADDRESS)


def test_choose_for_an_app_leaves_the_session_waiting(
    choose_username, newcomer_of_app, sessions, users
):
    done = choose_username.choose("held", "alice", native="login-1", address=ADDRESS)

    assert users.get(ALICE).username == "alice"
    assert done.signed_in.token is None
    assert sessions.by_secret("held") == newcomer_of_app


@pytest.mark.parametrize(("secret", "native"), [("held", "other"), (None, "login-1")])
def test_choose_for_an_app_that_no_longer_waits_raises_native_login_closed(
    choose_username, newcomer_of_app, secret, native
):
    with pytest.raises(NativeLoginClosed):
        choose_username.choose(secret, "alice", native=native, address=ADDRESS)


def test_choose_counts_look_ups_against_the_network(
    choose_username, newcomer, client, limits
):
    """Each costs requests to the directory, and a newcomer may try again and again."""
    asking = replace(
        choose_username,
        admission=replace(choose_username.admission, rule=SignupRule.parse("*.test")),
    )
    client.handles[ALICE], client.failure = "alice.test", HostUnreachable("x", "down")

    with pytest.raises(HostUnreachable):
        asking.choose("cookie", "alice", address=ADDRESS)

    assert limits.hits == [("address", ADDRESS)]


def test_choose_without_a_look_up_counts_nothing(choose_username, newcomer, limits):
    choose_username.choose("cookie", "alice", address=ADDRESS)

    assert limits.hits == []
