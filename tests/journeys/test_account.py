"""The account page: who one is here, on which devices, and the end of any of them."""

from __future__ import annotations

import pytest

from tests.fakes import faults
from tests.fakes.browser import Browser
from tests.fakes.page import Page
from tests.fakes.world import World
from tests.service import HOME, Service
from tests.signed import signs_in

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1"
)


@pytest.fixture
def laptop(browser: Browser, service: Service) -> Browser:
    return signs_in(service, browser, ALICE, username="alice")


@pytest.fixture
def phone(laptop: Browser, service: Service) -> Browser:
    """A second device of the same person."""
    phone = signs_in(service, service.browser(), ALICE)
    service.rows(
        "UPDATE sessions SET device = ? WHERE created_at = "
        "(SELECT max(created_at) FROM sessions) AND sid = ?",
        SAFARI,
        sid_of(phone),
    )
    return phone


def sid_of(browser: Browser) -> str:
    sid: str = browser.visits("/auth/session").json["session_id"]
    return sid


def account(browser: Browser) -> Page:
    return browser.visits("/auth/account")


def ends(browser: Browser, sid: str) -> Page:
    """Press the button beside a device."""
    page = account(browser).presses(end=sid)
    assert isinstance(page, Page)
    return page


def test_account_page_with_one_device_marks_it(laptop: Browser) -> None:
    page = account(laptop)

    assert "Firefox on Linux this device" in page.text
    assert not [form for form in page.forms if "end" in form.fields]


def test_account_page_lists_devices_and_marks_this_one(
    laptop: Browser, phone: Browser
) -> None:
    on_laptop, on_phone = account(laptop).text, account(phone).text

    assert on_laptop.count("this device") == on_phone.count("this device") == 1
    assert "Firefox on Linux this device" in on_laptop
    assert "Safari on an iPhone Last used" in on_laptop
    assert "Safari on an iPhone this device" in on_phone
    assert "Firefox on Linux Last used" in on_phone


def test_device_row_shows_last_use_and_sign_in_date(
    laptop: Browser, phone: Browser, world: World
) -> None:
    world.clock.advance(26 * 3600)
    phone.visits("/auth/login")
    world.clock.advance(3600)

    page = account(laptop)

    times = [given["datetime"] for tag, given in page.tags if tag == "time"]
    _looked_up, since, _, seen, since_on_phone, *_events = times
    assert since == since_on_phone
    assert seen is not None
    assert since is not None
    assert seen > since


def test_a_token_in_use_counts_as_use_of_its_session(
    laptop: Browser, phone: Browser, service: Service, world: World
) -> None:
    """Apps hold nothing but the token; a write each ten minutes is enough."""
    token = phone.jar.get("platform_token")
    assert token is not None
    bearer = {"Authorization": f"Bearer {token.value}"}
    seen = "SELECT seen_at FROM sessions WHERE sid = ?"
    sid = sid_of(phone)
    [(first,)] = service.rows(seen, sid)

    world.clock.advance(599)
    service.get("/auth/session", **bearer)
    assert service.rows(seen, sid) == [(first,)]
    world.clock.advance(1)
    service.get("/auth/session", **bearer)

    assert service.rows(seen, sid) == [(first + 600,)]


def test_ending_a_device_leaves_the_others(
    laptop: Browser, phone: Browser, service: Service, world: World
) -> None:
    """Requirements 6.19, 6.15: and its grant is revoked at the host."""
    page = ends(laptop, sid_of(phone))

    assert page.url == f"{HOME}/auth/account?ended=one"
    assert "That device has to sign in again" in page.text
    assert "iPhone" not in page.text
    assert not phone.is_signed_in()
    assert laptop.is_signed_in()
    first, second = world.skyhost.server.grants.all
    assert (first.alive, second.alive) == (True, False)
    assert service.rows("SELECT count(*) FROM oauth_sessions") == [(1,)]


def test_ending_all_others_leaves_this_one(
    laptop: Browser, phone: Browser, service: Service, world: World
) -> None:
    tablet = signs_in(service, service.browser(), ALICE)

    page = ends(phone, "others")

    assert "Only this device is still signed in" in page.text
    signed_in = [b.is_signed_in() for b in (laptop, phone, tablet)]
    assert signed_in == [False, True, False]
    alive = [grant.alive for grant in world.skyhost.server.grants.all]
    assert alive == [False, True, False]


def test_ending_this_device_signs_out_here(laptop: Browser, world: World) -> None:
    page = laptop.posts("/auth/account", {"end": sid_of(laptop)})

    assert isinstance(page, Page)
    assert "You are signed out" in page.text
    assert "as.skyhost.social" in page.text
    assert laptop.jar.get("platform_token") is None
    assert not laptop.is_signed_in()
    assert world.skyhost.server.grants.alive(world.alice.did) == []


def test_ending_a_device_while_its_host_is_down_signs_it_out(
    laptop: Browser, phone: Browser, world: World
) -> None:
    world.network.lay("https://as.skyhost.social/oauth/revoke", faults.Refuses())

    ends(laptop, "others")

    assert not phone.is_signed_in()


def test_ending_a_device_of_another_person_changes_nothing(
    laptop: Browser, service: Service
) -> None:
    bob = signs_in(service, service.browser(), BOB, username="bobby")

    page = bob.posts("/auth/account", {"end": sid_of(laptop)})

    assert isinstance(page, Page)
    assert page.status == 200
    assert laptop.is_signed_in()
    bob.posts("/auth/account", {"end": "others"})
    assert laptop.is_signed_in()
    assert bob.is_signed_in()


@pytest.mark.parametrize("sid", ["", "unknown", "' OR 1=1 --"])
def test_ending_an_unknown_device_changes_nothing(
    laptop: Browser, phone: Browser, sid: str
) -> None:
    page = laptop.posts("/auth/account", {"end": sid})

    assert isinstance(page, Page)
    assert page.status == 200
    assert laptop.is_signed_in()
    assert phone.is_signed_in()


def test_ending_a_device_without_a_session_is_refused(browser: Browser) -> None:
    page = browser.posts("/auth/account", {"end": "others"})

    assert isinstance(page, Page)
    assert page.url.startswith(f"{HOME}/auth/login")


def test_a_device_name_is_text_and_nothing_else(
    laptop: Browser, phone: Browser, service: Service
) -> None:
    service.rows("UPDATE sessions SET device = '<script>alert(1)</script>'")

    page = account(laptop)

    assert "<script>alert" not in page.html
    assert "<script>alert(1)</script>" in page.text


def test_device_of_an_app_is_named_after_the_app(
    laptop: Browser, phone: Browser, service: Service
) -> None:
    service.rows("UPDATE sessions SET app_name = 'Sketch' WHERE sid = ?", sid_of(phone))

    assert "Sketch app Last used" in account(laptop).text


def test_pending_app_is_not_listed_as_device(
    laptop: Browser, phone: Browser, service: Service
) -> None:
    service.rows("UPDATE sessions SET destination = '{}' WHERE sid = ?", sid_of(phone))

    assert "iPhone" not in account(laptop).text
