"""Where a login may start, and what is no start at all (section 1a, UX rules)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.web.cookies import REMEMBERED_LIFETIME
from tests.fakes.browser import AtHost, Browser
from tests.fakes.network import FakeNetwork
from tests.fakes.page import Page
from tests.fakes.world import World
from tests.service import HOME, Service

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"
ENTRYWAY = "https://as.skyhost.social"
ACCOUNT = f"{HOME}/auth/account"
SIGNUP = f"{HOME}/auth/signup"


@pytest.mark.parametrize(
    "typed",
    [
        "Alice.SkyHost.social",
        " @alice.skyhost.social ",
        "\u202aalice.skyhost.social\u202c",
        "at://alice.skyhost.social",
        "https://bsky.app/profile/alice.skyhost.social",
        "bsky.app/profile/alice.skyhost.social/post/3k",
    ],
)
def test_a_handle_is_understood_however_it_is_pasted(
    browser: Browser, world: World, typed: str
) -> None:
    """Requirement 1.2, UX rule 2."""
    browser.signs_in(typed, username="alice")

    assert browser.visits("/auth/session").json["did"] == world.alice.did


def test_a_login_may_start_from_a_did(browser: Browser, world: World) -> None:
    browser.signs_in(world.alice.did, username="alice")

    assert browser.visits("/auth/session").json["handle"] == ALICE


def test_a_handle_found_by_dns_alone_signs_in(browser: Browser, world: World) -> None:
    """Requirement 1.11: one of the two methods is enough."""
    world.settle("dana.paints.ink", world.skyhost, txt=True, https=False)

    assert browser.signs_in("dana.paints.ink", username="dana").url == ACCOUNT


def test_a_login_may_start_from_a_server(browser: Browser, world: World) -> None:
    """Requirement 2.10: who it is comes out at the end."""
    at_host = browser.opens_login().types(ENTRYWAY)

    assert at_host.approves(BOB).url == SIGNUP
    assert world.bob.did in browser.visits("/auth/signup").text


def test_login_from_a_host_without_handle_signs_in(browser: Browser) -> None:
    """UX rule 7."""
    page = browser.opens_login()
    forms = [f for f in page.forms if f.fields.get("identifier") == ENTRYWAY]
    plain = next(f for f in forms if "prompt" not in f.fields)

    arrived = page.submits(plain)

    assert isinstance(arrived, AtHost)
    assert arrived.approves(ALICE).url == SIGNUP


def test_a_bare_name_is_completed(open_service: Callable[..., Service]) -> None:
    """UX rule 3: the suffix is a setting."""
    browser = open_service(handle_suffix=".skyhost.social").browser()

    assert browser.signs_in("alice", username="alice").url == ACCOUNT


def test_login_with_create_prompt_signs_a_new_account_in(
    browser: Browser, world: World
) -> None:
    """Requirement 4.9: `prompt=create` at a host that is offered."""
    at_host = browser.opens_login().presses(prompt="create", identifier=ENTRYWAY)
    assert isinstance(at_host, AtHost)
    assert at_host.page.request.form["prompt"] == "create"

    arrived = at_host.signs_up("newcomer.skyhost.social")

    assert arrived.url == SIGNUP
    assert arrived.form_with("username").fields["username"] == "newcomer"
    assert arrived.chooses("newcomer").url == ACCOUNT


@pytest.mark.parametrize(
    ("identifier", "prompt"),
    [("https://rosies.garden", "create"), (ALICE, "create"), (ALICE, "none")],
)
def test_a_prompt_that_is_not_offered_is_refused(
    browser: Browser, network: FakeNetwork, identifier: str, prompt: str
) -> None:
    """`create` goes with one of SIGNUP_HOSTS; `none` cannot be asked by a form."""
    arrived = browser.opens_login().tries(identifier, prompt=prompt)

    assert isinstance(arrived, Page)
    assert (arrived.status, arrived.error) == (400, "invalid_request")
    assert network.sent() == []


def test_a_prefilled_identifier_is_shown_and_not_sent(
    browser: Browser, network: FakeNetwork
) -> None:
    page = browser.opens_login(identifier=ALICE)

    assert page.form_with("identifier").fields["identifier"] == ALICE
    assert network.sent() == []


def test_an_account_that_signed_in_here_is_offered_again(browser: Browser) -> None:
    """UX rule 10: remembered on this device, with a way to say "not me"."""
    browser.signs_in(ALICE, username="alice")
    browser.posts("/auth/logout", {"keep": "1"})
    page = browser.opens_login()
    assert ALICE in page.text

    arrived = page.presses(identifier=ALICE)

    assert isinstance(arrived, AtHost)


def test_remembered_accounts_stay_for_180_days(browser: Browser) -> None:
    browser.signs_in(ALICE, username="alice")
    kept = browser.jar.get("__Host-latchkey-accounts")

    assert kept is not None
    assert kept.expires_at == browser.world.clock() + REMEMBERED_LIFETIME


def test_a_remembered_account_can_be_forgotten(browser: Browser, world: World) -> None:
    browser.signs_in(ALICE, username="alice")
    browser.posts("/auth/logout", {"keep": "1"})

    page = browser.opens_login().presses(forget=world.alice.did)

    assert isinstance(page, Page)
    assert ALICE not in page.text
    assert ALICE not in browser.opens_login().text


@pytest.mark.parametrize(
    "cookie", ["", "x", "W10", "bnVsbA==", "e30=", "W3siZGlkIjoxfV0="]
)
def test_an_odd_memory_of_accounts_is_ignored(browser: Browser, cookie: str) -> None:
    """Anybody can write that cookie."""
    name = "__Host-latchkey-accounts"
    browser.jar.receive(HOME, [f"{name}={cookie}; Path=/; Secure"])

    assert browser.opens_login().status == 200


def test_a_browser_too_old_for_fetch_metadata_signs_in(service: Service) -> None:
    """Origin says then whose form it was."""
    browser = service.browser(fetch_metadata=False)

    assert browser.signs_in(ALICE, username="alice").url == ACCOUNT


# --- what is typed wrong --------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "two words",
        "alice@",
        "alice..skyhost.social",
        "-alice.skyhost.social",
        "laptop.local",
        "site.onion",
        "handle.invalid",
        "did:key:z6MkhaXg",
        "did:plc:tooshort",
        "http://as.skyhost.social",
        "https://10.0.0.5",
        "https://user@as.skyhost.social",
        "javascript:alert(1)",
        "x" * 5_000,
        "alice.skyhost.social\nHost: evil",
        "<script>alert(1)</script>",
    ],
)
def test_invalid_identifier_is_refused_without_a_request(
    browser: Browser, network: FakeNetwork, typed: str
) -> None:
    """Requirements 1.3 to 1.10: the form again, filled in as before, and no request."""
    arrived = browser.opens_login().tries(typed)

    assert isinstance(arrived, Page)
    assert arrived.status == 400
    assert arrived.error == "invalid_identifier"
    assert network.sent() == []
    assert browser.world.dns.asked == []
    assert "<script>alert" not in arrived.html


def test_email_like_identifier_is_corrected_and_confirmed(
    browser: Browser, network: FakeNetwork
) -> None:
    """UX rule 3: the field is filled, the person presses again."""
    arrived = browser.opens_login().tries("alice@skyhost.social")

    assert isinstance(arrived, Page)
    assert arrived.error == "invalid_identifier"
    assert arrived.form_with("identifier").fields["identifier"] == ALICE
    assert network.sent() == []
