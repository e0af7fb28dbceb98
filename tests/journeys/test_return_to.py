"""Where `return_to` may lead, at each route that takes it (requirement 9.9)."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

import pytest

from tests.fakes.browser import AtHost, Browser
from tests.fakes.network import FakeNetwork
from tests.fakes.page import Page
from tests.fakes.world import World
from tests.service import HOME, Service
from tests.signed import signs_in
from tests.web.hostile_targets import SIX

ALICE = "alice.skyhost.social"

GOOD = [
    ("/", f"{HOME}/auth/account"),
    ("/auth/session", f"{HOME}/auth/session"),
    ("/auth/account?tab=devices#one", f"{HOME}/auth/account?tab=devices#one"),
    ("/x/../auth/session", None),
    ("/%2f%2fevil.cafe", f"{HOME}/%2f%2fevil.cafe"),
    ("/.//evil.cafe", None),
    ("/x?next=https://evil.cafe", f"{HOME}/x?next=https://evil.cafe"),
    (f"{HOME}/auth/session", f"{HOME}/auth/session"),
    ("https://app.platform.cafe", "https://app.platform.cafe"),
    ("https://app.platform.cafe/", "https://app.platform.cafe/"),
    ("https://APP.Platform.Cafe/a", "https://app.platform.cafe/a"),
    ("https://a.b.platform.cafe/x?y=%20z#w", "https://a.b.platform.cafe/x?y=%20z#w"),
    ("https://platform.cafe/", "https://platform.cafe/"),
    ("https://play.elsewhere.cafe/game", "https://play.elsewhere.cafe/game"),
    ("https://app.platform.cafe?x=1", "https://app.platform.cafe?x=1"),
]


@pytest.mark.parametrize("target", SIX)
def test_a_hostile_target_is_refused_by_the_form_page(
    visitor: Browser, target: str
) -> None:
    page = visitor.opens_login(return_to=target)

    assert (page.status, page.error) == (400, "invalid_return_to")
    assert page.form_with("identifier").fields.get("return_to", "") == ""


@pytest.mark.parametrize("target", SIX)
def test_a_hostile_target_is_refused_by_the_form_itself(
    visitor: Browser, target: str
) -> None:
    fields = {"identifier": ALICE, "return_to": target}

    page = visitor.posts("/auth/login", fields)

    assert isinstance(page, Page)
    assert (page.status, page.error) == (400, "invalid_return_to")
    assert visitor.world.network.sent() == []


@pytest.mark.parametrize("target", SIX)
def test_a_hostile_target_is_refused_when_signed_in(
    signed_in: Browser, target: str
) -> None:
    """The shortest way to an open redirect: no login in between."""
    page = signed_in.opens_login(return_to=target)

    assert page.url.startswith(f"{HOME}/")
    assert (page.status, page.error) == (400, "invalid_return_to")


@pytest.mark.parametrize("target", SIX)
def test_a_hostile_target_is_refused_by_signing_out(
    visitor: Browser, target: str
) -> None:
    page = visitor.posts("/auth/logout", {"return_to": target})
    assert isinstance(page, Page)
    shown = visitor.visits("/auth/logout?" + urlencode({"return_to": target}))

    for one in (page, shown):
        assert (one.status, one.error) == (400, "invalid_return_to")
        assert all("evil" not in link for link in one.links)


@pytest.mark.parametrize(("target", "arrives"), GOOD)
def test_a_good_target_is_reached(
    signed_in: Browser, target: str, arrives: str | None
) -> None:
    page = signed_in.opens_login(return_to=target)

    assert page.error != "invalid_return_to"
    if arrives is not None:
        assert page.url == arrives
    ours = {"auth.platform.cafe", "play.elsewhere.cafe", "platform.cafe"}
    host = (urlsplit(page.url).hostname or "").lower()
    assert host in ours or host.endswith(".platform.cafe")


def test_a_target_survives_login_and_sign_up(browser: Browser) -> None:
    target = "https://app.platform.cafe/board?x=1#top"

    page = browser.opens_login(return_to=target).types(ALICE).approves()
    assert page.url == f"{HOME}/auth/signup"

    assert page.chooses("alice").url == target


def test_a_target_survives_a_failed_username(browser: Browser) -> None:
    target = "https://app.platform.cafe/board"
    page = browser.opens_login(return_to=target).types(ALICE).approves()

    assert page.chooses("admin").chooses("al").chooses("alice").url == target


def test_a_target_survives_leaving_the_sign_up_page(browser: Browser) -> None:
    """Coming back later, to any page, finds the last step again."""
    target = "https://app.platform.cafe/board"
    browser.opens_login(return_to=target).types(ALICE).approves()

    page = browser.visits("/auth/login")

    assert page.url == f"{HOME}/auth/signup"
    assert page.chooses("alice").url == target


def test_a_target_survives_wrong_input(browser: Browser) -> None:
    target = "https://app.platform.cafe/board"
    page = browser.opens_login(return_to=target)

    for typed in ("not a handle", "unknown.skyhost.social"):
        again = page.tries(typed)
        assert isinstance(again, Page)
        assert again.error
        page = again

    assert page.types(ALICE).approves().chooses("alice").url == target


def test_a_target_survives_an_answer_that_is_refused(
    browser: Browser, world: World
) -> None:
    """A link of the error page begins anew, and leads to the same place."""
    target = "https://app.platform.cafe/board"
    page = browser.opens_login(return_to=target).types(ALICE)

    failed = page.approves("bob.skyhost.social")
    assert failed.error == "account_mismatch"
    again = next(link for link in failed.links if "/auth/login" in link)

    arrived = browser.visits(again).types(ALICE).approves().chooses("alice")
    assert arrived.url == target


def test_a_callback_names_no_target(browser: Browser, network: FakeNetwork) -> None:
    """Requirement 9.9: parameters from outside are ignored."""
    browser.signs_in(ALICE, username="alice")
    callback = browser.opens_login(prompt="login").types(ALICE).answer()

    page = browser.visits(f"{callback}&return_to=https://evil.cafe", site="cross-site")

    assert page.url == f"{HOME}/auth/account"


def test_a_sibling_needs_to_be_listed_without_a_cookie_domain(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(cookie_domain=None, return_hosts=("app.platform.cafe",))
    browser = signs_in(service, service.browser(), ALICE, username="alice")

    assert browser.opens_login(return_to="https://app.platform.cafe/").error is None
    refused = browser.opens_login(return_to="https://other.platform.cafe/")
    assert refused.error == "invalid_return_to"


def test_the_landing_page_is_a_setting(open_service: Callable[..., Service]) -> None:
    service = open_service(landing_url="https://app.platform.cafe/home")

    arrived = service.browser().signs_in(ALICE, username="alice")

    assert arrived.url == "https://app.platform.cafe/home"


def test_plain_http_is_a_target_in_loopback_development_only(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(loopback=True, return_hosts=("app.platform.cafe",))
    at_host = service.browser().opens_login(return_to="http://app.platform.cafe/x")

    assert at_host.error is None
    assert isinstance(at_host.types(ALICE), AtHost)
