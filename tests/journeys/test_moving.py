"""An account that moved to another host: the same person here, and told so
(requirement 7.16).
"""

from __future__ import annotations

import pytest

from tests.fakes.app import App, confirms
from tests.fakes.browser import Browser
from tests.fakes.world import World
from tests.service import Service
from tests.signed import signs_in

ALICE = "alice.skyhost.social"
MOVED = "You have moved"


@pytest.fixture
def mover(browser: Browser, service: Service, world: World) -> Browser:
    """A new device of a person who signed up at one host and lives at another now."""
    signs_in(service, service.browser(), ALICE, username="alice")
    world.moves(world.alice, world.garden)
    world.clock.advance(3600)
    return browser


def test_account_that_moved_is_told_once_and_keeps_its_did(mover: Browser) -> None:
    page = mover.signs_in(ALICE)

    assert MOVED in page.text
    assert "lives at rosies.garden now, and no longer at as.skyhost.social" in page.text
    assert "Your account" in page.text
    assert MOVED not in mover.visits("/auth/account").text


def test_move_notice_is_not_used_up_by_a_page_that_is_loaded_ahead(
    mover: Browser,
) -> None:
    mover.signs_in(ALICE, return_to="https://forum.platform.cafe/")
    mover.visits("/auth/account", headers={"Sec-Purpose": "prefetch;prerender"})

    assert MOVED in mover.visits("/auth/account").text


def test_move_notice_waits_until_the_next_own_page(mover: Browser) -> None:
    mover.signs_in(ALICE, return_to="https://forum.platform.cafe/")

    assert MOVED in mover.visits("/auth/account").text


def test_the_next_sign_in_at_the_new_host_tells_nothing(
    mover: Browser, service: Service
) -> None:
    mover.signs_in(ALICE)

    assert MOVED not in service.browser().signs_in(ALICE).text


def test_move_notice_of_a_native_login_shows_in_the_browser(
    mover: Browser, service: Service
) -> None:
    """Pages of a native login do not show the notice: another person may see them."""
    app = App(service).starts(ALICE)
    confirms(mover, app)

    assert app.status() == "completed"
    assert MOVED in mover.signs_in(ALICE).text


def test_account_that_stayed_gets_no_move_notice(
    browser: Browser, service: Service
) -> None:
    first = browser.signs_in(ALICE, username="alice")
    again = service.browser().signs_in(ALICE)

    assert MOVED not in first.text
    assert MOVED not in again.text


def test_an_account_of_an_older_release_is_told_nothing(
    mover: Browser, service: Service
) -> None:
    """The former host is not known."""
    service.rows("UPDATE users SET issuer = NULL")

    assert MOVED not in mover.signs_in(ALICE).text


def test_a_forged_note_is_text_and_nothing_else(
    browser: Browser, service: Service
) -> None:
    browser.signs_in(ALICE, username="alice")
    url = f"{service.home}/auth/account"
    held = browser.jar.header(url, method="GET", cross_site=False)
    forged = f"{held}; __Host-latchkey-moved=<script>alert(1)</script>"

    answer = browser.requests("GET", url, headers={"Cookie": forged})

    assert b"You have moved" in answer.body
    assert b"<script>alert" not in answer.body
