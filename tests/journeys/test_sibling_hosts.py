"""What pages of the platform's other hosts may ask: sign-out, session, renewal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.browser import Browser
from tests.fakes.page import Page
from tests.service import Service
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.network import Answer
    from tests.fakes.world import World

ALICE = "alice.skyhost.social"
APP = "https://app.platform.cafe"
EVIL = "https://evil.cafe"


@pytest.fixture
def alice(browser: Browser, service: Service) -> Browser:
    return signs_in(service, browser, ALICE, username="alice")


def asks(
    browser: Browser, method: str, *, origin: str = APP, site: str = "same-site"
) -> Answer:
    """Ask /auth/session as `fetch` of a page does, with credentials."""
    return browser.requests(
        method,
        f"{browser.home}/auth/session",
        site=site,
        headers={"Origin": origin, "Accept": "application/json"},
    )


# --- sign-out ---------------------------------------------------------------------


def signs_out(browser: Browser, *, origin: str = APP, **fields: str) -> Answer:
    return browser.requests(
        "POST",
        f"{browser.home}/auth/logout",
        site="same-site",
        body="&".join(f"{name}={value}" for name, value in fields.items()).encode(),
        headers={
            "Origin": origin,
            "Content-Type": "application/x-www-form-urlencoded",
        },
    )


def test_sign_out_by_a_form_of_a_sibling_ends_the_session_and_leads_back(
    alice: Browser,
) -> None:
    answer = signs_out(alice, return_to=f"{APP}/goodbye")

    assert (answer.status, answer.headers["Location"]) == (303, f"{APP}/goodbye")
    assert alice.jar.get("platform_token") is None
    assert not alice.is_signed_in()


def test_sign_out_of_a_sibling_without_return_to_shows_our_page(
    alice: Browser,
) -> None:
    answer = signs_out(alice)

    assert answer.status == 200
    assert not alice.is_signed_in()


def test_sign_out_of_a_sibling_leads_to_no_other_site(alice: Browser) -> None:
    answer = signs_out(alice, return_to=f"{EVIL}/")

    assert answer.status == 400
    assert alice.is_signed_in()


@pytest.mark.parametrize(
    "origin", [EVIL, "null", "https://app.platform.cafe:8443", f"{APP}.evil.cafe", ""]
)
def test_sign_out_by_a_form_of_a_stranger_is_refused(
    alice: Browser, origin: str
) -> None:
    page = alice.posts("/auth/logout", {}, origin=origin or "x", site="same-site")

    assert isinstance(page, Page)
    assert (page.status, page.error) == (403, "cross_site")
    assert alice.is_signed_in()


def test_link_of_a_sibling_asks_in_words_about_our_own_platform(
    alice: Browser,
) -> None:
    query = f"/auth/logout?return_to={APP}/"
    page = alice.visits(query, site="same-site")

    assert "Another site" not in page.text
    assert alice.is_signed_in()

    done = page.presses(return_to=f"{APP}/")
    assert isinstance(done, Page)
    assert "Back to app.platform.cafe" in done.text
    assert not alice.is_signed_in()


def test_link_of_a_stranger_is_called_another_site(alice: Browser) -> None:
    page = alice.visits("/auth/logout", site="cross-site")

    assert "Another site sent you here" in page.text


# --- session ----------------------------------------------------------------------


def test_page_of_a_sibling_reads_who_is_signed_in(alice: Browser) -> None:
    answer = asks(alice, "GET")

    assert answer.json()["username"] == "alice"
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in answer.headers["Vary"]


def test_page_of_a_stranger_reads_nothing(alice: Browser) -> None:
    answer = asks(alice, "GET", origin=EVIL)

    assert "Access-Control-Allow-Origin" not in answer.headers


def test_renewal_by_a_page_of_a_sibling_sets_a_fresh_token(
    alice: Browser, world: World
) -> None:
    before = alice.jar.get("platform_token")
    world.clock.advance(3600)

    answer = asks(alice, "POST")

    after = alice.jar.get("platform_token")
    assert answer.status == 200
    assert answer.json()["issued_at"] > world.clock() - 60
    assert before is not None
    assert after is not None
    assert after.value != before.value


def test_renewal_after_the_token_expired_sets_a_fresh_one(
    alice: Browser, world: World
) -> None:
    world.clock.advance(2 * 86_400)
    assert asks(alice, "GET").status == 401

    assert asks(alice, "POST").status == 200
    assert asks(alice, "GET").status == 200


def test_renewal_without_a_session_is_refused(browser: Browser) -> None:
    answer = asks(browser, "POST")

    assert (answer.status, answer.json()["error"]) == (401, "not_signed_in")
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("origin", "site"), [(EVIL, "same-site"), (EVIL, "cross-site"), ("null", "none")]
)
def test_renewal_by_a_page_of_a_stranger_is_refused(
    alice: Browser, origin: str, site: str
) -> None:
    answer = asks(alice, "POST", origin=origin, site=site)

    assert answer.status == 403
    assert "Set-Cookie" not in answer.headers


def test_preflight_of_a_sibling_allows_get_and_post(alice: Browser) -> None:
    answer = asks(alice, "OPTIONS")

    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, POST"


# --- loopback development ---------------------------------------------------------


LOOPBACK = ["http://127.0.0.1:3000", "http://localhost:5173", "http://[::1]:8080"]


@pytest.mark.parametrize("origin", LOOPBACK)
def test_loopback_development_allows_every_port_of_this_machine(
    open_service: Callable[..., Service], origin: str
) -> None:
    service = open_service(loopback=True)
    browser = service.browser()
    page = browser.opens_login(return_to=f"{origin}/page?a=b")

    assert page.status == 200
    answer = asks(browser, "POST", origin=origin)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (
        401,
        origin,
    )


@pytest.mark.parametrize("origin", LOOPBACK)
def test_loopback_development_signs_out_by_a_form_of_any_port(
    open_service: Callable[..., Service], origin: str
) -> None:
    service = open_service(loopback=True)
    browser = signs_in(service, service.browser(), ALICE, username="alice")

    answer = signs_out(browser, origin=origin, return_to=f"{origin}/goodbye")

    assert (answer.status, answer.headers["Location"]) == (303, f"{origin}/goodbye")
    assert not browser.is_signed_in()


@pytest.mark.parametrize("origin", LOOPBACK)
def test_production_allows_no_loopback(service: Service, origin: str) -> None:
    browser = service.browser()

    assert browser.opens_login(return_to=f"{origin}/").error == "invalid_return_to"
    assert asks(browser, "POST", origin=origin).status == 403


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1.evil.cafe/",
        "http://127.0.0.1@evil.cafe/",
        "http://localhost:3000@evil.cafe/",
        "http://localhost.evil.cafe:3000/",
        "http://[::1]evil.cafe/",
        "http://127.0.0.1:3000\\@evil.cafe/",
        "ftp://127.0.0.1/",
    ],
)
def test_loopback_development_sends_to_no_other_host(
    open_service: Callable[..., Service], url: str
) -> None:
    browser = open_service(loopback=True).browser()

    assert browser.opens_login(return_to=url).error == "invalid_return_to"
