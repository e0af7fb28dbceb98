"""A service that never accepts the token: the rounds are stopped, and explained."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.browser import Browser
    from tests.fakes.network import Answer
    from tests.service import Service

ALICE = "alice.skyhost.social"
FORUM = "https://forum.platform.cafe/t/42"


def goes(browser: Browser, return_to: str = FORUM, **headers: str) -> Answer:
    """Ask login for the way back, as the service's proxy makes the browser do."""
    url = f"{browser.home}/auth/login?{urlencode({'return_to': return_to})}"
    return browser.requests("GET", url, site="same-site", headers=headers)


@pytest.fixture
def alice(browser: Browser, service: Service) -> Browser:
    return signs_in(service, browser, ALICE, username="alice")


def test_fourth_round_within_a_minute_shows_the_page(alice: Browser) -> None:
    rounds = [goes(alice) for _ in range(4)]

    assert [answer.status for answer in rounds] == [303, 303, 303, 409]
    assert b'data-error="redirect_loop"' in rounds[3].body
    assert goes(alice).status == 303  # the person tries again


def test_rounds_within_more_than_a_minute_are_no_loop(alice: Browser) -> None:
    for _ in range(6):
        assert goes(alice).status == 303
        alice.world.clock.advance(21)


def test_pages_that_are_loaded_ahead_are_no_rounds(alice: Browser) -> None:
    for _ in range(3):
        goes(alice, **{"Sec-Purpose": "prefetch"})

    assert goes(alice).status == 303


def test_rounds_to_several_addresses_are_no_loop(alice: Browser) -> None:
    for number in range(6):
        assert goes(alice, f"{FORUM}/{number}").status == 303


def test_links_to_our_own_pages_are_no_loop(alice: Browser) -> None:
    assert {goes(alice, "/auth/account").status for _ in range(6)} == {303}


def cause(browser: Browser, return_to: str = FORUM, **headers: str) -> bytes:
    for _ in range(3):
        goes(browser, return_to, **headers)
    return goes(browser, return_to, **headers).body.partition(b"data-cause=")[2][:12]


def test_page_names_the_clock_when_the_cookie_is_right(alice: Browser) -> None:
    assert cause(alice).startswith(b'"clock"')


def test_page_names_the_cookie_domain_when_the_host_is_outside(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(return_hosts=frozenset({"forum.elsewhere.example"}))
    browser = signs_in(service, service.browser(), ALICE, username="alice")

    assert cause(browser, "https://forum.elsewhere.example/").startswith(b'"domain"')


def test_page_names_two_cookies_of_one_name(alice: Browser) -> None:
    """The jar's own header is replaced by one with a second cookie."""
    for _ in range(3):
        goes(alice)
    url = f"{alice.home}/auth/login"
    sent = alice.jar.header(url, method="GET", cross_site=False)

    answer = goes(alice, Cookie=f"platform_token=stale; {sent}")

    assert b'data-cause="two_cookies"' in answer.body


def test_page_names_a_browser_that_keeps_no_platform_cookie(alice: Browser) -> None:
    for _ in range(3):
        goes(alice)
    url = f"{alice.home}/auth/login"
    sent = alice.jar.header(url, method="GET", cross_site=False)
    kept = [one for one in sent.split("; ") if not one.startswith("platform_token=")]

    answer = goes(alice, Cookie="; ".join(kept))

    assert b'data-cause="no_cookie"' in answer.body


@pytest.mark.parametrize("value", ["x", "1.2", "9" * 5000 + ".3.x", "-1.9.x", "..", ""])
def test_unreadable_count_begins_again(alice: Browser, value: str) -> None:
    url = f"{alice.home}/auth/login"
    sent = alice.jar.header(url, method="GET", cross_site=False)

    cookie = f"{sent}; __Host-latchkey-rounds={value}"
    assert goes(alice, Cookie=cookie).status == 303
