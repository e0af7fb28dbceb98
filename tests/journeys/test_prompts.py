"""Asking the host for a certain page, and hosts that cannot show it (requirements
4.9, 4.10).
"""

from __future__ import annotations

import pytest

from tests.fakes.browser import AtHost, Browser
from tests.fakes.network import FakeNetwork
from tests.fakes.page import Page
from tests.service import HOME

ALICE = "alice.skyhost.social"
REFUSALS = [
    "login_required",
    "consent_required",
    "interaction_required",
    "account_selection_required",
]


def asked(browser: Browser, prompt: str) -> AtHost:
    """Begin a login that asks the host for a certain page."""
    page = browser.opens_login(prompt=prompt, return_to="/auth/account")
    at_host = page.tries(ALICE)
    assert isinstance(at_host, AtHost)
    return at_host


def goes_back(at_host: AtHost, error: str) -> Page | AtHost:
    """Follow the host's refusal, wherever we send the browser then."""
    url = at_host.page.sends_back(error, "cannot").url
    return at_host.browser.navigates("GET", url, site="cross-site")


@pytest.mark.parametrize("error", REFUSALS)
def test_a_prompt_that_the_host_refuses_is_left_out_the_second_time(
    browser: Browser, network: FakeNetwork, error: str
) -> None:
    """Requirements 4.9, 4.10: and the login goes on as if it had never been asked
    for.
    """
    at_host = asked(browser, "select_account")

    again = goes_back(at_host, error)

    assert isinstance(again, AtHost)
    pushed = [one.form for one in network.sent(path="/oauth/par")]
    assert pushed[0]["prompt"] == "select_account"
    assert "prompt" not in pushed[-1]
    assert pushed[-1]["login_hint"] == ALICE
    assert pushed[-1]["state"] != pushed[0]["state"]
    assert again.approves().chooses("alice").url == f"{HOME}/auth/account"


@pytest.mark.parametrize("error", REFUSALS)
def test_a_second_refusal_is_shown(
    browser: Browser, network: FakeNetwork, error: str
) -> None:
    """Requirement 4.10: no loop."""
    again = goes_back(asked(browser, "login"), error)
    assert isinstance(again, AtHost)
    network.forget()

    page = goes_back(again, error)

    assert isinstance(page, Page)
    assert (page.status, page.error) == (502, "server_invalid")
    assert network.sent() == []


def test_a_login_that_asked_for_nothing_is_not_tried_again(
    browser: Browser, network: FakeNetwork
) -> None:
    """Requirement 4.10: there is nothing to leave out."""
    at_host = browser.opens_login().types(ALICE)
    network.forget()

    page = goes_back(at_host, "login_required")

    assert isinstance(page, Page)
    assert (page.status, page.error) == (502, "server_invalid")
    assert network.sent() == []


def test_another_error_is_not_tried_again(
    browser: Browser, network: FakeNetwork
) -> None:
    """Requirement 4.10: only what leaving out the prompt may mend."""
    at_host = asked(browser, "login")
    network.forget()

    page = goes_back(at_host, "server_error")

    assert isinstance(page, Page)
    assert (page.status, page.error) == (502, "host_unreachable")
    assert network.sent() == []


def test_who_is_asked_again_while_signed_in_may_go_on_as_before(
    browser: Browser,
) -> None:
    browser.signs_in(ALICE, username="alice")

    page = browser.opens_login(prompt="login", return_to="/auth/account?from=here")

    assert "Continue as alice" in page.text
    assert "/auth/login?return_to=%2Fauth%2Faccount%3Ffrom%3Dhere" in page.links
