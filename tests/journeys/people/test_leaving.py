"""A person leaves the platform: asked first, by keyboard, without a script."""

from __future__ import annotations

import pytest

from tests.fakes import faults
from tests.fakes.browser import Browser
from tests.fakes.page import Page
from tests.fakes.world import World
from tests.journeys.people.commands import events, runs
from tests.service import HOME, Service
from tests.signed import signs_in

ALICE = "alice.skyhost.social"
LEAVE = "/auth/account/leave"


@pytest.fixture
def laptop(browser: Browser, service: Service) -> Browser:
    return signs_in(service, browser, ALICE, username="alice")


def leaves(browser: Browser, typed: str = "alice") -> Page:
    """Follow the link on the account page, type a name and press the button."""
    assert LEAVE in browser.visits("/auth/account").links
    page = browser.visits(LEAVE)
    arrived = page.submits(page.form_with("username"), username=typed)
    assert isinstance(arrived, Page)
    return arrived


def test_leaving_deletes_the_account_and_says_goodbye(
    laptop: Browser, service: Service, world: World
) -> None:
    phone = service.browser()
    phone.signs_in(ALICE)

    page = leaves(laptop)

    assert page.status == 200
    assert "Goodbye, alice" in page.text
    assert "as.skyhost.social" in page.text
    assert not laptop.is_signed_in()
    assert not phone.is_signed_in()
    assert world.skyhost.server.grants.alive(world.alice.did) == []
    assert service.rows("SELECT did FROM users") == []
    [(mark, detail)] = events(service, "account_deleted")
    assert mark.startswith("deleted:")
    assert detail == {}


def test_leaving_forgets_the_account_on_this_device(laptop: Browser) -> None:
    leaves(laptop)

    assert [one.name for one in laptop.jar if "latchkey" in one.name] == []
    assert laptop.jar.get("platform_token") is None
    assert ALICE not in laptop.opens_login().html


@pytest.mark.parametrize("typed", ["Alice", " alice "])
def test_leaving_takes_capitals_and_spaces_for_a_slip(
    laptop: Browser, typed: str
) -> None:
    assert "Goodbye" in leaves(laptop, typed).text


@pytest.mark.parametrize("typed", ["", "alic", "bobby", ALICE])
def test_leaving_with_another_name_deletes_nothing(laptop: Browser, typed: str) -> None:
    page = leaves(laptop, typed)

    assert page.status == 400
    assert page.error == "invalid_request"
    assert page.form_with("username")
    assert laptop.is_signed_in()


def test_leave_page_without_a_session_leads_to_login_and_back(browser: Browser) -> None:
    page = browser.visits(LEAVE)

    assert page.url.startswith(f"{HOME}/auth/login?return_to=")
    arrived = page.types(ALICE).approves()
    assert arrived.chooses("alice").url == f"{HOME}{LEAVE}"


def test_leaving_from_another_site_is_refused(laptop: Browser) -> None:
    page = laptop.posts(
        LEAVE, {"username": "alice"}, origin="https://evil.example", site="cross-site"
    )

    assert isinstance(page, Page)
    assert page.error == "cross_site"
    assert laptop.is_signed_in()


def test_leaving_while_the_host_is_down_deletes_the_account(
    laptop: Browser, service: Service, world: World
) -> None:
    world.network.lay("https://as.skyhost.social/oauth/revoke", faults.Refuses())

    page = leaves(laptop)

    assert "Goodbye" in page.text
    assert service.rows("SELECT did FROM users") == []


def test_newcomer_without_a_username_has_nothing_to_leave(browser: Browser) -> None:
    browser.opens_login().types(ALICE).approves()

    page = browser.visits(LEAVE)

    assert page.url == f"{HOME}/auth/signup"


def test_disabled_account_cannot_leave_to_escape(
    laptop: Browser, service: Service
) -> None:
    """Its sessions have ended; an operator deletes it on request."""
    runs(service, "users", "disable", "alice", "--yes")

    page = laptop.posts(LEAVE, {"username": "alice"})

    assert page.url.startswith(f"{HOME}/auth/login")
    assert service.rows("SELECT username FROM users") == [("alice",)]


def test_account_page_shows_what_happened(laptop: Browser, service: Service) -> None:
    phone = service.browser()
    phone.signs_in(ALICE)
    runs(service, "users", "rename", "alice", "liddell", "--reason", "told by mail")

    text = laptop.visits("/auth/account").text

    assert "Joined The Platform" in text
    assert text.count("Signed in") >= 2
    assert (
        "Username changed by the people who run The Platform: alice is now liddell"
        in text
    )
    assert "carol" not in text
    assert "told by mail" not in text


def test_account_page_shows_a_bounded_list_of_own_events(
    laptop: Browser, service: Service, world: World
) -> None:
    bob = service.browser()
    bob.signs_in("bob.skyhost.social", username="bobby")
    for number in range(21):
        world.clock.advance(1)
        runs(service, "users", "rename", "@" + ALICE, f"alice-{number}")

    text = laptop.visits("/auth/account").text

    assert "The last 20 events" in text
    assert text.count(" is now ") == 20
    assert " is now " not in bob.visits("/auth/account").text
