"""The browser's part of a native login, against stores in memory."""

from __future__ import annotations

import pytest

from app.flows.errors import AccountDisabled, NativeLoginClosed
from app.flows.login.destination import Destination
from app.flows.native.confirm import (
    PUSHED_LIFETIME,
    ConfirmNativeLogin,
    DenyByFlow,
    OpenNativeLogin,
)
from app.flows.sessions.session import IssueToken
from tests.flows.memory import FakeIssuer, MemorySessions
from tests.flows.native.conftest import PHONE
from tests.stores.samples import ALICE, session, user

LINK = "link/secret"
LIFETIME = 30 * 86_400.0


@pytest.fixture
def sessions(clock):
    return MemorySessions(clock)


@pytest.fixture
def tokens(users):
    return IssueToken(users=users, issuer=FakeIssuer())


@pytest.fixture
def open_login(logins, starting, clock):
    return OpenNativeLogin(logins=logins, starting=starting, clock=clock)


@pytest.fixture
def confirm(logins, sessions, tokens, ending, audit, clock):
    return ConfirmNativeLogin(
        logins=logins,
        sessions=sessions,
        tokens=tokens,
        ending=ending,
        audit=audit,
        clock=clock,
        session_lifetime=LIFETIME,
    )


@pytest.fixture
def alice(users):
    return users.add(user(), skeleton="allce")


@pytest.fixture
def login_id(logins, started):
    return logins.by_open_secret(LINK).login_id


@pytest.fixture
def returned(sessions, login_id, clock):
    """The browser came back from the host; the app's session waits for the answer."""
    sessions.add(
        session(
            app_name="Sketch",
            pending_for="native",
            destination=Destination(native=login_id).pack(),
            expires_at=clock() + 1_800,
        ),
        secret="cookie",
    )
    return login_id


# --- the link


def test_open_at_the_first_visit_returns_the_pushed_request(
    open_login, starting, started
):
    starting.asked.clear()

    opened = open_login(LINK, address=PHONE)

    assert (opened.url, opened.secret) == ("https://auth.test/authorize", LINK)
    assert starting.asked == []


@pytest.mark.parametrize(("visits", "seconds"), [(1, 0), (0, PUSHED_LIFETIME)])
def test_open_again_or_late_pushes_another_request_with_the_same_secret(
    open_login, starting, started, login_id, clock, visits, seconds
):
    for _ in range(visits):
        open_login(LINK, address=PHONE)
    starting.asked.clear()
    clock.advance(seconds)

    open_login(LINK, address=PHONE)

    destination = Destination(identifier="alice.test", native=login_id)
    assert starting.asked == [
        {
            "destination": destination,
            "address": PHONE,
            "secret": LINK,
            "ui_locales": "",
        }
    ]


def test_open_with_an_unknown_secret_raises_native_login_closed(open_login, started):
    with pytest.raises(NativeLoginClosed):
        open_login("unknown", address=PHONE)


def test_open_of_a_decided_login_raises_native_login_closed(open_login, allowed):
    with pytest.raises(NativeLoginClosed):
        open_login(LINK, address=PHONE)


# --- the question and its answers


def test_question_names_the_app_and_the_account(confirm, returned, alice):
    asked = confirm.question(returned, "cookie")

    assert (asked.login.app_name, asked.user) == ("Sketch", alice)


def test_question_with_the_session_of_another_login_raises_native_login_closed(
    confirm, sessions, returned
):
    other = Destination(native="another").pack()
    sessions.add(session(sid="sid-2", destination=other), secret="other")

    for secret in ("other", "unknown"):
        with pytest.raises(NativeLoginClosed):
            confirm.question(returned, secret)


def test_question_for_a_disabled_account_raises_account_disabled(
    confirm, users, returned
):
    users.add(user(disabled_at=1), skeleton="allce")

    with pytest.raises(AccountDisabled):
        confirm.question(returned, "cookie")


def test_allow_gives_the_session_to_the_app_and_not_to_the_browser(
    confirm, sessions, audit, returned, alice, clock
):
    decided = confirm.allow(returned, "cookie")

    made = sessions.get(decided.sid)
    assert (decided.status, decided.did) == ("completed", ALICE)
    assert (made.pending_for, made.destination) == (None, None)
    assert made.expires_at == clock() + LIFETIME
    assert sessions.by_secret("cookie") is None
    assert audit.events == [("signed_in", ALICE, {"app": "Sketch"})]


def test_allow_pressed_twice_returns_the_first_decision(
    confirm, audit, returned, alice
):
    first = confirm.allow(returned, "cookie")

    assert confirm.allow(returned, "cookie") == first
    assert confirm.deny(returned, "cookie") == first
    assert len(audit.events) == 1


def test_allow_of_a_newcomer_without_username_raises_native_login_closed(
    confirm, logins, returned
):
    with pytest.raises(NativeLoginClosed):
        confirm.allow(returned, "cookie")

    assert logins.get(returned).status == "pending"


def test_deny_ends_the_session_and_revokes_the_grant(
    confirm, sessions, client, returned, alice
):
    decided = confirm.deny(returned, "cookie")

    assert decided.status == "denied"
    assert sessions.get("sid-1") is None
    assert client.revoked == [(ALICE, session().oauth_session_id)]


# --- a browser that comes back without an answer


@pytest.fixture
def deny_by_flow(logins, clock):
    return DenyByFlow(logins=logins, clock=clock)


def test_deny_by_flow_denies_the_login_of_the_link(deny_by_flow, logins, started):
    assert deny_by_flow(["unknown", "link/secret"]) is True

    assert [login.status for login in logins.rows.values()] == ["denied"]


@pytest.mark.parametrize("secrets", [[], ["unknown"]])
def test_deny_by_flow_with_unknown_secrets_denies_nothing(
    deny_by_flow, logins, started, secrets
):
    assert deny_by_flow(secrets) is False

    assert [login.status for login in logins.rows.values()] == ["pending"]


def test_deny_by_flow_after_the_decision_changes_nothing(deny_by_flow, logins, allowed):
    assert deny_by_flow(["link/secret"]) is False

    assert [login.status for login in logins.rows.values()] == ["completed"]
