"""The sample platform of docs/platform.md: one sign-in, and its end, on every host."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.laboratory import PATIENCE, Laboratory
from tests.e2e.terminal import Terminal
from tests.e2e.test_native_client import DONE, approve, ask_who_i_am, say_yes
from tests.e2e.visitor import Visitor
from tests.lab.clocks import Clock
from tests.lab.network import BOARD, PAGE, WIKI, Account
from tests.lab.platform import start_platform
from tests.lab.processes import session

KNOWS = {
    PAGE: f"https://{PAGE}/members/",
    WIKI: f"https://{WIKI}/me",
    BOARD: f"https://{BOARD}/me",
}
"""What answers 200 to a person who is signed in, on each host."""

WITHIN = {PAGE: 5, WIKI: 12, BOARD: 12}
"""Seconds in which each host notices, while requests come (docs/platform.md)."""

SLOW = 5
"""Seconds that a busy machine may add."""


@pytest.fixture(scope="module")
def running(prod_like: Laboratory) -> Clock:
    """The clock of the platform's services, once they run."""
    return start_platform(prod_like.network)


@pytest.fixture
def platform(prod_like: Laboratory, running: Clock) -> Laboratory:
    return prod_like


@pytest.fixture
def clock(platform: Laboratory, running: Clock) -> Iterator[Clock]:
    """The clock of the services, which start anew when it was changed."""
    yield running
    running.set(0)
    for name in ("wiki", "board"):
        platform.network.processes.kill(name)
        platform.network.processes.start_again(name)


@pytest.fixture
def visitor(platform: Laboratory) -> Iterator[Visitor]:
    with platform.visitor() as visitor:
        yield visitor


@pytest.fixture
def account(platform: Laboratory) -> Account:
    return platform.new_account()


def statuses(lab: Laboratory, token: str) -> dict[str, int]:
    """What each host answers to a copy of the platform token."""
    with session(lab.network.ca) as http:
        return {
            host: http.get(
                url,
                headers={"Cookie": f"platform_token={token}"},
                allow_redirects=False,
                timeout=PATIENCE,
            ).status_code
            for host, url in KNOWS.items()
        }


def noticed_after(lab: Laboratory, token: str) -> dict[str, float]:
    """How many seconds it takes each host to refuse the token."""
    begun, refused = time.monotonic(), {}
    while len(refused) < len(KNOWS) and time.monotonic() - begun < PATIENCE:
        for host, status in statuses(lab, token).items():
            if status != 200:
                refused.setdefault(host, time.monotonic() - begun)
        time.sleep(0.25)
    return refused


def became(visitor: Visitor, account: Account) -> str:
    """Sign a newcomer in from the page; return the platform token."""
    visitor.page.goto(f"https://{PAGE}/members/")
    visitor.identify_as(account.handle)
    visitor.approve(account)
    visitor.choose_username(account.handle.partition(".")[0])
    visitor.page.wait_for_url(f"https://{PAGE}/members/")
    token = visitor.token
    assert token is not None
    return token


def test_one_sign_in_is_known_and_one_sign_out_is_noticed_on_every_host(
    platform: Laboratory, visitor: Visitor, account: Account
) -> None:
    token = became(visitor, account)
    username = account.handle.partition(".")[0]

    assert visitor.page.inner_text("h1") == "For members"
    for host in (WIKI, BOARD):
        visitor.page.goto(f"https://{host}/")
        assert username in visitor.page.inner_text("body")
    visitor.page.goto(f"https://{PAGE}/")
    visitor.page.wait_for_function(
        f"document.querySelector('#who').textContent === '{username}'"
    )

    visitor.press("Sign out")
    visitor.page.wait_for_url(f"https://{PAGE}/")

    visitor.page.wait_for_function(
        "document.querySelector('#who').textContent === 'not signed in'"
    )
    noticed = noticed_after(platform, token)
    assert noticed.keys() == KNOWS.keys()
    assert all(noticed[host] <= WITHIN[host] + SLOW for host in KNOWS), noticed


def test_disabled_account_is_refused_on_every_host_and_in_an_app(
    platform: Laboratory, visitor: Visitor, account: Account, tmp_path: Path
) -> None:
    token = became(visitor, account)
    assert set(statuses(platform, token).values()) == {200}
    app = Terminal(platform.network, tmp_path, lab=platform)
    run = app.logs_in(account.handle)
    approve(visitor, run, account)
    say_yes(visitor)
    assert app.is_told(run)[0] == DONE
    assert ask_who_i_am(platform, app.token()).status_code == 200

    platform.service.command("users", "disable", account.did, "--yes")

    assert ask_who_i_am(platform, app.token()).status_code == 401
    noticed = noticed_after(platform, token)
    assert noticed.keys() == KNOWS.keys()
    assert all(noticed[host] <= WITHIN[host] + SLOW for host in KNOWS), noticed


OFFLINE = (WIKI, BOARD)
"""Hosts that verify the token by themselves."""


def test_services_whose_clocks_differ_by_30_seconds_know_the_person(
    platform: Laboratory, visitor: Visitor, account: Account, clock: Clock
) -> None:
    token = became(visitor, account)

    for ahead in (30, -30):
        clock.set(ahead)
        assert set(statuses(platform, token).values()) == {200}, ahead

    clock.set(-600)
    answered = statuses(platform, token)
    assert [answered[host] for host in OFFLINE] == [401, 401]


def test_service_that_is_down_for_ten_minutes_stops_no_verification(
    platform: Laboratory, visitor: Visitor, account: Account, clock: Clock
) -> None:
    token = became(visitor, account)
    assert set(statuses(platform, token).values()) == {200}

    with platform.network.processes.without(platform.service.program.name):
        for minute in (0, 1, 5, 10):
            clock.set(60 * minute)
            answered = statuses(platform, token)
            assert [answered[host] for host in OFFLINE] == [200, 200], minute
        assert answered[PAGE] >= 500

    visitor.page.goto(f"https://{PAGE}/")
    visitor.press("Sign out")
    visitor.page.wait_for_url(f"https://{PAGE}/")
    assert noticed_after(platform, token).keys() == KNOWS.keys()
