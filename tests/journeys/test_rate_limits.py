"""Limits on starting a login: per address, per host that we ask (requirement 9.6).

The windows are long, so that none of them ends in the middle of a test.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from app.flows.login.start import LOGINS_AT_ONCE
from tests.fakes.browser import AtHost, Browser
from tests.fakes.directory import did_document
from tests.fakes.page import Page
from tests.fakes.world import World, plc_did
from tests.service import Service

ALICE = "alice.skyhost.social"


@pytest.fixture(autouse=True)
def today(world: World) -> None:
    """The counters use the machine's time."""
    world.clock.advance(time.time() - world.clock())


def starts(browser: Browser, typed: str = ALICE) -> Page | AtHost:
    return browser.opens_login().tries(typed)


def is_limited(arrived: Page | AtHost) -> bool:
    return isinstance(arrived, Page) and arrived.error == "too_many_requests"


def test_one_address_starts_so_many_logins(
    open_service: Callable[..., Service], world: World
) -> None:
    """Told with 429, and when to try again; the form is still there."""
    service = open_service(rate_limit_login_per_address="5/year")
    browsers = [service.browser() for _ in range(6)]

    arrived = [starts(browser) for browser in browsers]

    assert [is_limited(one) for one in arrived] == [False] * 5 + [True]
    page = arrived[-1]
    assert isinstance(page, Page)
    assert page.status == 429
    assert 0 < int(page.headers["Retry-After"]) <= 366 * 24 * 3600
    assert page.form_with("identifier").fields["identifier"] == ALICE
    assert len(world.network.sent(path="/oauth/par")) == 6


def test_wrong_input_counts_as_well(open_service: Callable[..., Service]) -> None:
    """Guessing is no cheaper than starting."""
    browser = open_service(rate_limit_login_per_address="3/year").browser()

    arrived = [starts(browser, "two words") for _ in range(4)]

    assert [is_limited(one) for one in arrived] == [False] * 3 + [True]


def test_rate_limit_counts_each_address_alone(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(rate_limit_login_per_address="1/year")
    starts(service.browser())

    assert is_limited(starts(service.browser()))
    assert not is_limited(starts(service.browser(address="203.0.113.9")))


def test_a_subscribers_ipv6_network_is_one_address(
    open_service: Callable[..., Service],
) -> None:
    """A /64 is one line; counting each address of it would count nothing."""
    service = open_service(rate_limit_login_per_address="1/year")
    starts(service.browser(address="2001:db8:1:2::1"))

    assert is_limited(starts(service.browser(address="2001:db8:1:2:ffff::9")))
    assert not is_limited(starts(service.browser(address="2001:db8:1:3::1")))


def test_the_address_is_what_trusted_proxies_say(
    open_service: Callable[..., Service],
) -> None:
    """And nothing that the client itself wrote in front of it."""
    service = open_service(rate_limit_login_per_address="1/year", trusted_proxies=1)

    def arrives(forwarded: str) -> int:
        browser = service.browser()
        answer = browser.requests(
            "POST",
            f"{service.home}/auth/login",
            site="same-origin",
            body=b"identifier=two+words",
            headers={
                "Origin": service.home,
                "X-Forwarded-For": forwarded,
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )
        return answer.status

    assert arrives("203.0.113.1") == 400
    assert arrives("203.0.113.2") == 400
    assert arrives("198.51.100.200, 203.0.113.2") == 429


def test_without_proxies_a_forged_address_changes_nothing(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(rate_limit_login_per_address="1/year")
    starts(service.browser())

    answer = service.browser().requests(
        "POST",
        f"{service.home}/auth/login",
        site="same-origin",
        body=b"identifier=two+words",
        headers={
            "Origin": service.home,
            "X-Forwarded-For": "203.0.113.77",
            "Content-Type": "application/x-www-form-urlencoded",
        },
    )

    assert answer.status == 429


def test_logins_that_wait_leave_room_for_everybody_else(
    service: Service, browser: Browser
) -> None:
    """So many at once wait for slow hosts; one more is told to come again."""
    limit = service.app.extensions["latchkey"].flows.start_login.concurrency
    with ExitStack() as taken:
        for _ in range(LOGINS_AT_ONCE):
            taken.enter_context(limit.hold())

        page = starts(browser)

    assert isinstance(page, Page)
    assert (page.status, page.error) == (429, "too_many_requests")
    assert int(page.headers["Retry-After"]) <= 10
    assert service.get("/.well-known/jwks.json").status == 200
    assert isinstance(page.tries(ALICE), AtHost)


def test_a_login_that_fails_gives_its_place_back(
    service: Service, browser: Browser, world: World
) -> None:
    limit = service.app.extensions["latchkey"].flows.start_login.concurrency
    for typed in ("two words", "unknown.paints.ink", ALICE):
        starts(browser, typed)

    assert limit.held == 0


def test_a_host_is_not_hammered_through_us(
    open_service: Callable[..., Service], world: World
) -> None:
    """Many addresses, one victim: its authorization server is asked so often."""
    service = open_service(rate_limit_login_per_host="4/year")
    arrived = [
        starts(service.browser(address=f"203.0.113.{number}"), "https://rosies.garden")
        for number in range(1, 8)
    ]

    assert sum(is_limited(one) for one in arrived) == 3
    pushed = world.network.sent(host="rosies.garden", path="/oauth/par")
    assert len(pushed) == 5


def test_a_handles_host_is_counted_too(
    open_service: Callable[..., Service], world: World
) -> None:
    """Handles of one victim's making: each lookup counts against its host."""
    service = open_service(rate_limit_login_per_host="2/year")
    world.home("victim.paints.ink")

    arrived = [
        starts(service.browser(address=f"203.0.113.{n}"), "victim.paints.ink")
        for n in range(1, 6)
    ]

    assert sum(is_limited(one) for one in arrived) == 3
    assert len(world.network.sent(host="victim.paints.ink")) == 2


def test_documents_fetched_ahead_count_against_the_share_of_a_network(
    open_service: Callable[..., Service], world: World
) -> None:
    """Its metadata as an authorization server is fetched in another thread."""
    service = open_service(rate_limit_login_per_host="16/year")
    world.home("victim.cafe")
    browser = service.browser()

    arrived = [starts(browser, "https://victim.cafe") for _ in range(8)]

    assert is_limited(arrived[-1])
    assert len(world.network.sent(host="victim.cafe")) == 4


@pytest.mark.parametrize("start", ["a DID", "a typed server"])
def test_a_host_without_oauth_is_not_hammered_either(
    open_service: Callable[..., Service], world: World, start: str
) -> None:
    """A DID document may name any host as its PDS, and a person may type any."""
    service = open_service(rate_limit_login_per_host="4/year")
    world.home("victim.cafe")

    def begins(number: int) -> Page | AtHost:
        browser = service.browser(address=f"203.0.113.{number}")
        if start == "a typed server":
            return starts(browser, "https://victim.cafe")
        did = plc_did(f"account {number}")
        world.plc.documents[did] = did_document(
            did, handle=None, pds="https://victim.cafe"
        )
        return starts(browser, did)

    arrived = [begins(number) for number in range(1, 8)]

    assert is_limited(arrived[-1])
    assert len(world.network.sent(host="victim.cafe")) == 4


def test_the_directory_is_not_counted_as_a_host(
    open_service: Callable[..., Service], world: World
) -> None:
    """Everybody needs it."""
    service = open_service(rate_limit_login_per_host="2/year")
    people = [ALICE, "rosies.garden"]

    for number in range(4):
        host = world.add_host(f"home{number}.garden")
        people.append(world.settle(f"home{number}.garden", host).handle)

    assert not any(is_limited(starts(service.browser(), one)) for one in people)
