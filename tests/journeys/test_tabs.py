"""Other browsers, tabs side by side, and answers that come twice (requirements
9.12, 6.3).
"""

from __future__ import annotations

from tests.fakes.browser import Browser, query_of
from tests.fakes.network import FakeNetwork
from tests.fakes.world import World
from tests.service import HOME, Service

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"
ACCOUNT = f"{HOME}/auth/account"
SIGNUP = f"{HOME}/auth/signup"


def test_a_login_finished_in_another_browser_is_refused(
    service: Service, browser: Browser, network: FakeNetwork
) -> None:
    """Requirements 9.12, 9.14: the state survives for the right one."""
    callback = browser.opens_login().types(ALICE).answer()
    other = service.browser()

    page = other.visits(callback, site="cross-site")

    assert (page.status, page.error) == (403, "wrong_browser")
    assert network.sent(path="/oauth/token") == []
    assert not other.is_signed_in()
    assert browser.visits(callback, site="cross-site").url == SIGNUP


def test_callback_of_another_browsers_login_returns_wrong_browser(
    service: Service, browser: Browser
) -> None:
    """Requirement 9.12, login CSRF: the attacker's callback does not sign the
    victim in.
    """
    attacker = service.browser()
    callback = attacker.opens_login().types(BOB).answer()
    browser.opens_login().types(ALICE)

    page = browser.visits(callback, site="cross-site")

    assert page.error == "wrong_browser"
    assert not browser.is_signed_in()


def test_callback_by_a_link_scanner_keeps_the_auth_request(
    service: Service, browser: Browser
) -> None:
    """Requirement 6.3: a program without cookies follows the callback first."""
    callback = browser.opens_login().types(ALICE).answer()
    service.get(callback.removeprefix(HOME))

    assert browser.visits(callback, site="cross-site").url == SIGNUP


def test_two_tabs_side_by_side_both_arrive(browser: Browser) -> None:
    """Requirement 9.12: one cookie per flow; the first begun is finished last."""
    browser.signs_in(ALICE, username="alice")
    first = browser.opens_login(prompt="login").types(ALICE)
    second = browser.opens_login(prompt="login").types(ALICE)

    assert second.approves().url == ACCOUNT
    assert first.approves().url == ACCOUNT


def test_the_oldest_of_many_tabs_makes_room(browser: Browser, world: World) -> None:
    """Cookies stay few; the newest logins can be finished."""
    begun = []
    for _ in range(12):
        begun.append(browser.opens_login().types(ALICE))
        world.clock.advance(1)

    flows = [one for one in browser.jar if "flow" in one.name]
    assert len(flows) <= 8
    assert begun[-1].approves().url == SIGNUP
    assert begun[0].approves().error == "wrong_browser"


def test_the_secret_of_a_flow_leaves_with_the_flow(browser: Browser) -> None:
    browser.signs_in(ALICE, username="alice")

    assert [one.name for one in browser.jar if "flow" in one.name] == []


def test_a_reload_of_the_callback_sends_the_signed_in_on(
    browser: Browser, network: FakeNetwork
) -> None:
    """Requirements 6.2, 6.8: and the code is not sent a second time."""
    browser.signs_in(ALICE, username="alice")
    callback = next(url for url in browser.trail if "/auth/callback" in url)

    assert browser.visits(callback).url == ACCOUNT
    assert len(network.sent(path="/oauth/token")) == 1


def test_a_reload_by_a_newcomer_leads_back_to_the_username(browser: Browser) -> None:
    browser.opens_login().types(ALICE).approves()
    callback = browser.trail[-2]

    assert browser.visits(callback).url == SIGNUP


def test_a_used_callback_tells_a_stranger_to_begin_again(
    service: Service, browser: Browser
) -> None:
    """Requirement 6.3."""
    browser.signs_in(ALICE, username="alice")
    callback = next(url for url in browser.trail if "/auth/callback" in url)

    page = service.browser().visits(callback, site="cross-site")

    assert (page.status, page.error) == (400, "login_expired")


def test_a_login_left_waiting_too_long_begins_again(
    browser: Browser, world: World
) -> None:
    """Requirement 4.19."""
    callback = browser.opens_login().types(ALICE).answer()
    world.clock.advance(3601)

    page = browser.visits(callback, site="cross-site")

    assert (page.status, page.error) == (400, "login_expired")


def test_callback_after_half_an_hour_signs_in(
    browser: Browser, network: FakeNetwork, world: World
) -> None:
    """Requirement 6.13: the account is verified again, and it holds."""
    at_host = browser.opens_login().types(ALICE)
    world.clock.advance(1800)

    assert at_host.approves().url == SIGNUP
    assert query_of(at_host.url)["client_id"] == f"{HOME}/oauth-client-metadata.json"
