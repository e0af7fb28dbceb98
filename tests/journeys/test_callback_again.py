"""A callback that a browser sends twice or ahead, and where it is answered."""

from __future__ import annotations

import base64
import json
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import pytest
from requests.structures import CaseInsensitiveDict

from tests.fakes import faults
from tests.fakes.browser import AtHost, Browser
from tests.fakes.network import Answer, Sent
from tests.fakes.page import Page
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.network import Network
    from tests.service import Service

ALICE = "alice.skyhost.social"
TOKEN = "https://as.skyhost.social/oauth/token"


class Holds(faults.Fault):
    """The token endpoint is slow: the second request comes meanwhile."""

    def __init__(self) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()

    def before(self, sent: Sent, timeout: float) -> None:
        self.reached.set()
        self.go_on.wait(5)


def asks(browser: Browser, url: str) -> Answer:
    """Send what a browser sends, and keep nothing of the answer."""
    headers = {
        "Accept": "text/html",
        "Cookie": browser.jar.header(url, method="GET", cross_site=True),
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    sent = Sent("GET", url, CaseInsensitiveDict(headers), b"", "a browser")
    return browser.world.network.deliver(sent, timeout=10)


@pytest.fixture
def browser(service: Service) -> Browser:
    signs_in(service, service.browser(), ALICE, username="alice")
    return service.browser()


def test_callback_asked_twice_at_once_sends_one_code_and_signs_in(
    browser: Browser, network: Network
) -> None:
    url = browser.opens_login().types(ALICE).answer()
    network.forget()
    slow = Holds()
    network.lay(TOKEN, slow, times=1)
    second: list[Answer] = []

    first = threading.Thread(target=asks, args=(browser, url))
    first.start()
    assert slow.reached.wait(5)
    other = threading.Thread(target=lambda: second.append(asks(browser, url)))
    other.start()
    other.join(0.3)  # an answer that comes at once has nothing to say
    slow.go_on.set()
    first.join(10)
    other.join(10)

    answer = second[0]
    assert len(network.sent(path="/oauth/token")) == 1
    assert answer.status == 303
    browser.jar.receive(url, answer.headers.getlist("Set-Cookie"))
    browser.visits(urljoin(url, answer.headers["Location"]), site="cross-site")
    assert browser.is_signed_in()


def test_callback_asked_again_after_a_lost_answer_signs_in(
    browser: Browser, network: Network
) -> None:
    url = browser.opens_login().types(ALICE).answer()
    network.forget()

    asks(browser, url)
    page = browser.visits(url, site="cross-site")

    assert len(network.sent(path="/oauth/token")) == 1
    assert (page.status, page.error) == (200, None)
    assert browser.is_signed_in()


def test_failed_callback_asked_again_gets_the_same_failure(
    browser: Browser, network: Network
) -> None:
    url = browser.opens_login().types(ALICE).answer()
    network.forget()
    network.lay(TOKEN, faults.ChangesStatus(500), times=1)

    first, second = asks(browser, url), asks(browser, url)

    assert len(network.sent(path="/oauth/token")) == 1
    assert first.headers.getlist("Set-Cookie") == second.headers.getlist("Set-Cookie")
    assert first.headers["Location"] == second.headers["Location"]


def test_callback_asked_again_after_two_minutes_is_over(
    browser: Browser, network: Network
) -> None:
    url = browser.opens_login().types(ALICE).answer()
    asks(browser, url)

    browser.world.clock.advance(121)
    page = browser.visits(url, site="cross-site")

    assert (page.status, page.error) == (400, "login_expired")
    assert not browser.is_signed_in()


def test_callback_asked_again_by_another_browser_gets_nothing(
    browser: Browser, service: Service
) -> None:
    url = browser.opens_login().types(ALICE).answer()
    browser.visits(url, site="cross-site")

    stranger = service.browser()
    page = stranger.visits(url, site="cross-site")

    assert page.status in {400, 403}
    assert not stranger.is_signed_in()


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"X-Moz": "prefetch"},
    ],
    ids=["prefetch", "prerender", "purpose", "x-moz"],
)
def test_callback_that_is_loaded_ahead_uses_up_nothing(
    browser: Browser, service: Service, network: Network, headers: dict[str, str]
) -> None:
    url = browser.opens_login().types(ALICE).answer()
    cookies = browser.jar.header(url, method="GET", cross_site=True)
    network.forget()

    other = service.browser()  # the answer is dropped, its cookies with it
    ahead: dict[str, Any] = {**headers, "Cookie": cookies}
    answer = other.requests("GET", url, site="cross-site", headers=ahead)

    assert answer.status == 503
    assert network.sent(path="/oauth/token") == []
    assert answer.headers.getlist("Set-Cookie") == []
    page = browser.visits(url, site="cross-site")
    assert (page.status, page.error) == (200, None)
    assert browser.is_signed_in()


def test_failed_callback_asked_again_after_sign_out_sets_no_platform_token(
    open_service: Callable[..., Service],
) -> None:
    """A denied scope upgrade renews the token of the session that stays."""
    browser = open_service(scope_max="atproto account:email").browser()
    browser.signs_in(ALICE, username="alice")
    page = browser.opens_login(scope="account:email")
    at_host = page.submits(page.forms[0])
    assert isinstance(at_host, AtHost)
    denied = at_host.page.denies().url
    browser.visits(denied, site="cross-site")
    assert browser.jar.get("platform_token") is not None
    browser.signs_out()

    browser.visits(denied, site="cross-site")

    assert browser.jar.get("platform_token") is None


# --- where the answer is --------------------------------------------------------------


def test_denied_login_leads_to_a_page_of_ours_with_a_form_for_old_browsers(
    service: Service,
) -> None:
    browser = service.browser(fetch_metadata=False)
    page = browser.opens_login().types(ALICE).denies()

    assert urlsplit(page.url).path == "/auth/result"
    again = browser.submits(page, page.form_with("identifier"), {"identifier": ALICE})
    assert isinstance(again, AtHost)


def test_post_with_null_origin_is_refused(service: Service) -> None:
    """A sandboxed frame of any site sends `null`, too."""
    browser = service.browser(fetch_metadata=False)

    page = browser.posts(
        "/auth/login", {"identifier": ALICE}, origin="null", site="cross-site"
    )

    assert isinstance(page, Page)
    assert page.status == 403


def test_result_may_be_reloaded_and_needs_its_cookie(service: Service) -> None:
    browser = service.browser()
    page = browser.opens_login(return_to="/auth/account").types(ALICE).denies()

    again = browser.visits("/auth/result")
    elsewhere = service.browser().visits("/auth/result")

    assert (page.status, page.error) == (again.status, again.error)
    assert (again.status, again.error) == (400, "access_denied")
    assert (elsewhere.status, elsewhere.error) == (200, None)
    assert urlsplit(elsewhere.url).path == "/auth/login"


@pytest.mark.parametrize("value", ["x", "e30=", "W10=", "bnVsbA==", "W" * 4000])
def test_result_with_an_unreadable_cookie_leads_to_login(
    service: Service, value: str
) -> None:
    page = service.browser().requests(
        "GET",
        service.home + "/auth/result",
        headers={"Cookie": f"__Host-latchkey-outcome={value}"},
    )

    assert page.status == 303
    assert page.headers["Location"] == "/auth/login"


@pytest.mark.parametrize(
    ("again", "status"),
    [
        ("/auth/native/open?login=x", 200),
        ("https://evil.example/", 303),
        ("//evil.example/", 303),
        ("javascript:alert(1)", 303),
    ],
)
def test_result_with_a_link_to_elsewhere_leads_to_login(
    service: Service, again: str, status: int
) -> None:
    told = {"code": "host_unreachable", "facts": {}, "again": again}
    document = {
        "kind": "error",
        "failure": {"told": told, "status": 200, "reference": "x"},
        "destination": None,
        "app_name": None,
    }
    value = base64.urlsafe_b64encode(json.dumps(document).encode()).decode()

    page = service.browser().requests(
        "GET",
        service.home + "/auth/result",
        headers={"Cookie": f"__Host-latchkey-outcome={value}"},
    )

    assert page.status == status
