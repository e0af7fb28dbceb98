"""A person leaves the platform: asked first, by keyboard, without a script."""

from __future__ import annotations

import pytest

from app.flows.sweep import ORPHAN_AGE
from tests.fakes import faults
from tests.fakes.browser import AtHost, Browser
from tests.fakes.page import Page
from tests.fakes.world import World
from tests.journeys.people.commands import events, prints, runs
from tests.service import HOME, Service
from tests.signed import signs_in

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"
LEAVE = "/auth/account/leave"
REVOKE = "https://as.skyhost.social/oauth/revoke"


@pytest.fixture
def laptop(browser: Browser, service: Service) -> Browser:
    return signs_in(service, browser, ALICE, username="alice")


def leaves(browser: Browser, typed: str = "alice") -> Page:
    """Follow the link, type a name, and prove the account at the host."""
    arrived = asks_to_leave(browser, typed)
    return arrived if isinstance(arrived, Page) else arrived.approves()


def asks_to_leave(browser: Browser, typed: str = "alice") -> Page | AtHost:
    """Follow the link on the account page, type a name and press the button."""
    assert LEAVE in browser.visits("/auth/account").links
    page = browser.visits(LEAVE)
    return page.submits(page.form_with("username"), username=typed)


def at_host(browser: Browser) -> AtHost:
    """Be asked by the host, with the name typed."""
    arrived = asks_to_leave(browser)
    assert isinstance(arrived, AtHost)
    return arrived


def test_goodbye_is_not_used_up_by_a_page_that_is_loaded_ahead(
    laptop: Browser,
) -> None:
    laptop.requests("GET", at_host(laptop).answer(), site="cross-site")
    laptop.visits("/auth/result", headers={"Sec-Purpose": "prefetch"})

    assert "Goodbye, alice" in laptop.visits("/auth/result").text


def test_leaving_deletes_the_account_and_says_goodbye(
    laptop: Browser, service: Service, world: World
) -> None:
    phone = signs_in(service, service.browser(), ALICE)

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


def test_leaving_asks_the_host_for_a_sign_in_and_no_permission(
    laptop: Browser,
) -> None:
    asked = at_host(laptop).page.request.form

    assert asked["prompt"] == "login"
    assert asked["scope"] == "atproto"


def test_leaving_deletes_nothing_before_the_host_confirms(
    laptop: Browser, service: Service
) -> None:
    at_host(laptop)

    assert service.rows("SELECT username FROM users") == [("alice",)]
    assert laptop.is_signed_in()


def test_leaving_denied_at_the_host_leads_back_and_deletes_nothing(
    laptop: Browser, service: Service
) -> None:
    page = at_host(laptop).denies()

    assert page.url == f"{HOME}{LEAVE}"
    assert laptop.is_signed_in()
    assert service.rows("SELECT username FROM users") == [("alice",)]


def test_leaving_with_another_account_of_the_host_deletes_neither(
    laptop: Browser, service: Service, world: World
) -> None:
    signs_in(service, service.browser(), BOB, username="bobby")

    page = at_host(laptop).approves(BOB)

    assert page.error == "account_mismatch"
    assert page.form_with("username")
    assert laptop.is_signed_in()
    names = service.rows("SELECT username FROM users ORDER BY username")
    assert names == [("alice",), ("bobby",)]
    assert len(world.skyhost.server.grants.alive(world.bob.did)) == 1


def test_leaving_after_the_session_was_ended_elsewhere_deletes_nothing(
    laptop: Browser, service: Service
) -> None:
    """A person who ends a stolen session also stops what its holder began."""
    phone = signs_in(service, service.browser(), ALICE)
    proving = at_host(laptop)
    phone.posts("/auth/account", {"end": "others"})

    page = proving.approves()

    assert page.error == "not_signed_in"
    assert service.rows("SELECT username FROM users") == [("alice",)]
    assert service.rows("SELECT count(*) FROM oauth_sessions") == [(1,)]


def test_leaving_finished_in_another_browser_deletes_nothing(
    laptop: Browser, service: Service
) -> None:
    stranger = signs_in(service, service.browser(), ALICE)
    callback = at_host(laptop).answer()

    page = stranger.visits(callback, site="cross-site")

    assert page.error in {"wrong_browser", None}
    assert service.rows("SELECT username FROM users") == [("alice",)]


def test_leaving_sent_twice_says_goodbye_twice(
    laptop: Browser, service: Service
) -> None:
    """Browsers reload callbacks; a replay of the same address deletes nothing new."""
    callback = at_host(laptop).answer()
    laptop.visits(callback, site="cross-site")
    signs_in(service, service.browser(), ALICE, username="alice-again")

    page = laptop.visits(callback, site="cross-site")

    assert "Goodbye" not in page.text or page.url == f"{HOME}/auth/result"
    assert service.rows("SELECT username FROM users") == [("alice-again",)]


def test_leaving_in_two_windows_deletes_once(laptop: Browser, service: Service) -> None:
    first, second = at_host(laptop), at_host(laptop)
    first.approves()

    page = second.approves()

    assert page.status in {400, 401}
    assert len(events(service, "account_deleted")) == 1
    assert service.rows("SELECT count(*) FROM oauth_sessions") == [(0,)]


def test_leaving_while_the_host_is_down_deletes_the_account(
    laptop: Browser, service: Service, world: World
) -> None:
    world.network.lay(REVOKE, faults.Refuses())

    page = leaves(laptop)

    assert "Goodbye" in page.text
    assert "There is no answer from as.skyhost.social right now" in page.text
    assert "no longer has access" not in page.text
    assert service.rows("SELECT did FROM users") == []


def test_sweep_revokes_the_grants_of_an_account_deleted_while_its_host_was_down(
    laptop: Browser, service: Service, world: World
) -> None:
    world.network.lay(REVOKE, faults.Refuses())
    [deleted] = prints(service, "users", "delete", "alice", "--yes")
    assert (deleted["grants"], deleted["grants_revoked"]) == (1, 0)

    world.network.mend(REVOKE)
    world.clock.advance(ORPHAN_AGE)
    assert runs(service, "sweep").exit_code == 0

    assert world.skyhost.server.grants.alive(world.alice.did) == []
    assert service.rows("SELECT did FROM oauth_sessions") == []


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
    signs_in(service, service.browser(), ALICE)
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
    bob = signs_in(service, service.browser(), "bob.skyhost.social", username="bobby")
    for number in range(6):
        world.clock.advance(1)
        runs(service, "users", "rename", "@" + ALICE, f"alice-{number}")

    text = laptop.visits("/auth/account").text

    assert text.count(" is now ") == 5
    assert " is now " not in bob.visits("/auth/account").text
