"""Signing in with a browser, from the form to the cookie, against the fake network."""

from __future__ import annotations

from tests.fakes.browser import Browser
from tests.fakes.world import World
from tests.service import HOME

ALICE = "alice.skyhost.social"


def test_the_first_login_ends_with_a_username_and_a_cookie(
    browser: Browser, world: World
) -> None:
    arrived = browser.opens_login().types(ALICE).approves()
    assert arrived.url == f"{HOME}/auth/signup"
    assert browser.jar.get("platform_token") is None

    account = arrived.chooses("alice")

    assert account.url == f"{HOME}/auth/account"
    assert account.status == 200
    assert browser.jar.get("platform_token")
