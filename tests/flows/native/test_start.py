"""POST /auth/native/login: an app starts a login."""

from __future__ import annotations

import pytest

from app.atproto.crypto.encoding import sha256_hex
from app.flows.errors import AppNameInvalid, CodeChallengeInvalid, TooManyRequests
from app.flows.login.destination import Destination
from app.flows.native.app_identity import CODE_ALPHABET
from app.flows.native.start import NATIVE_LOGIN_LIFETIME

HOME = "https://auth.platform.cafe"
PHONE = "203.0.113.7"
VERIFIER = "a-verifier-of-at-least-43-characters-for-the-app"


def test_start_returns_a_link_without_the_await_secret(started):
    assert started.oauth_url == f"{HOME}/auth/native/open?login=link%2Fsecret"
    assert started.await_secret not in started.oauth_url
    assert len(started.await_secret) == 43
    assert started.expires_in == NATIVE_LOGIN_LIFETIME == 1800


def test_start_stores_only_a_hash_of_the_await_secret(started, logins):
    [login] = logins.rows.values()

    assert login.login_id == sha256_hex(started.await_secret)
    assert started.await_secret not in repr(login)


def test_start_puts_the_login_id_into_the_destination(started, starting, logins):
    [login_id] = logins.rows

    destination = Destination(identifier="alice.test", native=login_id)
    assert starting.asked == [{"destination": destination, "address": PHONE}]


def test_user_code_has_eight_consonants_and_a_hyphen(app_starts):
    codes = {app_starts.start("alice.test", address="").user_code for _ in range(50)}

    assert len(codes) == 50
    for code in codes:
        assert code[4] == "-"
        assert set(code.replace("-", "")) <= set(CODE_ALPHABET)
        assert len(code) == 9


def test_start_without_a_name_stores_the_default_name(app_starts, logins):
    app_starts.start("alice.test", address=PHONE)

    assert [login.app_name for login in logins.rows.values()] == ["An app"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "x" * 65,
        "two\nlines",
        "turned\u202eround",
        "nul\x00",
        "\u3164 \u2800\u115f",  # a letter, a symbol and a letter, and all are blank
        "\u0301",
        "Sketch" + "\u0320" * 40,  # a tower that would cover the code below
    ],
)
def test_start_with_an_unprintable_name_raises_app_name_invalid(
    app_starts, starting, name
):
    with pytest.raises(AppNameInvalid):
        app_starts.start("alice.test", address=PHONE, app_name=name)

    assert starting.asked == []


@pytest.mark.parametrize(
    "name", ["Sketch", "画板", "ที่นี่", "🎨", "Ha Nô\u0323\u0302i", "7"]
)
def test_start_accepts_names_in_any_script(app_starts, logins, name):
    app_starts.start("alice.test", address=PHONE, app_name=name)

    assert [login.app_name for login in logins.rows.values()] == [name]


@pytest.mark.parametrize("challenge", ["", "short", "x" * 44, "+" * 43, VERIFIER])
def test_start_with_a_malformed_challenge_raises_code_challenge_invalid(
    app_starts, starting, challenge
):
    with pytest.raises(CodeChallengeInvalid):
        app_starts.start("alice.test", address=PHONE, code_challenge=challenge)

    assert starting.asked == []


def test_refused_start_stores_no_login(app_starts, starting, logins):
    starting.refusal = TooManyRequests("address", retry_after=3)

    with pytest.raises(TooManyRequests):
        app_starts.start("alice.test", address=PHONE)

    assert logins.rows == {}
