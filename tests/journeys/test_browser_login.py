"""Signing in with a browser, from the form to the cookie, against the fake network."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fakes import faults
from tests.fakes.browser import AtHost, Browser, query_of
from tests.fakes.network import FakeNetwork
from tests.fakes.page import Page
from tests.fakes.world import World
from tests.service import HOME, Service

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"
ENTRYWAY = "https://as.skyhost.social"
ACCOUNT = f"{HOME}/auth/account"
SIGNUP = f"{HOME}/auth/signup"
SESSION = "__Host-latchkey-session"


def is_signed_in(browser: Browser) -> bool:
    return browser.visits("/auth/session", accept="application/json").status == 200


def held_secret(browser: Browser) -> str | None:
    cookie = browser.jar.get(SESSION)
    return cookie.value if cookie else None


# --- the way it should go -------------------------------------------------------------


def test_the_first_login_ends_with_a_username_and_a_cookie(
    browser: Browser, world: World
) -> None:
    arrived = browser.opens_login().types(ALICE).approves()
    assert arrived.url == SIGNUP
    assert browser.jar.get("platform_token") is None

    account = arrived.chooses("alice")

    assert account.url == ACCOUNT
    assert "alice" in account.text
    assert world.alice.did in account.text
    who = browser.visits("/auth/session").json
    assert (who["did"], who["handle"], who["username"]) == (
        world.alice.did,
        ALICE,
        "alice",
    )


def test_the_second_login_needs_no_username(service: Service, browser: Browser) -> None:
    browser.signs_in(ALICE, username="alice")

    arrived = service.browser().signs_in(ALICE)

    assert arrived.url == ACCOUNT


def test_two_devices_are_two_sessions(service: Service, browser: Browser) -> None:
    """6.19: signing out on one leaves the other."""
    browser.signs_in(ALICE, username="alice")
    other = service.browser()
    other.signs_in(ALICE)

    other.signs_out()

    assert is_signed_in(browser)
    assert not is_signed_in(other)


def test_a_platform_token_is_renewed_without_a_visit_to_the_host(
    browser: Browser, network: FakeNetwork, world: World
) -> None:
    """The session behind it lives longer; nobody else is asked."""
    browser.signs_in(ALICE, username="alice")
    world.clock.advance(24 * 3600 + 1)
    assert browser.jar.get("platform_token") is None
    network.forget()

    arrived = browser.visits("/auth/login?return_to=/auth/session")

    assert arrived.url == f"{HOME}/auth/session"
    assert arrived.status == 200
    assert network.sent() == []


def test_a_session_ends_after_thirty_days(browser: Browser, world: World) -> None:
    browser.signs_in(ALICE, username="alice")
    world.clock.advance(30 * 24 * 3600 + 1)

    assert browser.opens_login().form_with("identifier")


def test_a_secret_that_outlived_its_session_is_worth_nothing(
    browser: Browser, world: World
) -> None:
    """The end of a session is decided here, not by the browser's Max-Age."""
    browser.signs_in(ALICE, username="alice")
    secret = held_secret(browser)
    world.clock.advance(30 * 24 * 3600 + 1)
    browser.jar.receive(HOME, [f"{SESSION}={secret}; Path=/; Secure; HttpOnly"])

    assert browser.opens_login().form_with("identifier")


def test_whoever_is_signed_in_goes_straight_on(browser: Browser) -> None:
    browser.signs_in(ALICE, username="alice")

    arrived = browser.opens_login(return_to="https://app.platform.cafe/board")

    assert arrived.url == "https://app.platform.cafe/board"


def test_with_a_prompt_even_the_signed_in_see_the_form(browser: Browser) -> None:
    browser.signs_in(ALICE, username="alice")

    assert browser.opens_login(prompt="login").form_with("identifier")


def test_signing_in_as_somebody_else_ends_the_session_before(
    service: Service, browser: Browser, world: World
) -> None:
    """6.17: a new session, and the grant of the old one is revoked."""
    browser.signs_in(ALICE, username="alice")
    before = held_secret(browser)

    browser.opens_login(prompt="login").types(BOB).approves().chooses("bobby")

    assert held_secret(browser) != before
    assert browser.visits("/auth/session").json["username"] == "bobby"
    assert world.skyhost.server.grants.alive(world.alice.did) == []


def test_a_session_planted_before_the_login_is_not_taken_over(
    service: Service, browser: Browser
) -> None:
    """6.17: no fixation; the attacker's session is not the victim's."""
    attacker = service.browser()
    attacker.signs_in(BOB, username="mallory")
    planted = held_secret(attacker)
    browser.jar.receive(HOME, [f"{SESSION}={planted}; Path=/; Secure; HttpOnly"])

    browser.opens_login(prompt="login").types(ALICE).approves().chooses("alice")

    assert held_secret(browser) != planted
    assert not is_signed_in(attacker)


# --- where a login may start ----------------------------------------------------------


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
    """1.2, UX rule 2."""
    browser.signs_in(typed, username="alice")

    assert browser.visits("/auth/session").json["did"] == world.alice.did


def test_a_login_may_start_from_a_did(browser: Browser, world: World) -> None:
    browser.signs_in(world.alice.did, username="alice")

    assert browser.visits("/auth/session").json["handle"] == ALICE


def test_a_handle_found_by_dns_alone_signs_in(browser: Browser, world: World) -> None:
    """1.11: one of the two methods is enough."""
    world.settle("dana.paints.ink", world.skyhost, txt=True, https=False)

    assert browser.signs_in("dana.paints.ink", username="dana").url == ACCOUNT


def test_a_login_may_start_from_a_server(browser: Browser, world: World) -> None:
    """2.10: who it is comes out at the end."""
    at_host = browser.opens_login().types(ENTRYWAY)

    assert at_host.approves(BOB).url == SIGNUP
    assert world.bob.did in browser.visits("/auth/signup").text


def test_somebody_who_forgot_the_handle_starts_from_the_host(browser: Browser) -> None:
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


def test_somebody_without_an_account_gets_one(browser: Browser, world: World) -> None:
    """4.9: `prompt=create` at a host that is offered."""
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
    browser.signs_out()
    page = browser.opens_login()
    assert ALICE in page.text

    arrived = page.presses(identifier=ALICE)

    assert isinstance(arrived, AtHost)


def test_a_remembered_account_can_be_forgotten(browser: Browser, world: World) -> None:
    browser.signs_in(ALICE, username="alice")
    browser.signs_out()

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
def test_what_is_no_identifier_is_refused_without_asking_anybody(
    browser: Browser, network: FakeNetwork, typed: str
) -> None:
    """1.3 to 1.10: the form again, filled in as before, and no request."""
    arrived = browser.opens_login().tries(typed)

    assert isinstance(arrived, Page)
    assert arrived.status == 400
    assert arrived.error == "invalid_identifier"
    assert network.sent() == []
    assert browser.world.dns.asked == []
    assert "<script>alert" not in arrived.html


def test_something_like_an_email_address_is_mended_and_confirmed(
    browser: Browser, network: FakeNetwork
) -> None:
    """UX rule 3: the field is filled, the person presses again."""
    arrived = browser.opens_login().tries("alice@skyhost.social")

    assert isinstance(arrived, Page)
    assert arrived.error == "invalid_identifier"
    assert arrived.form_with("identifier").fields["identifier"] == ALICE
    assert network.sent() == []


# --- what the person decides ----------------------------------------------------------


def test_who_says_no_finds_the_form_again(browser: Browser, world: World) -> None:
    """Neutral, filled in, and nothing lost."""
    at_host = browser.opens_login(return_to="/auth/account").types(f"@{ALICE}")

    page = at_host.denies()

    assert (page.status, page.error) == (400, "access_denied")
    form = page.form_with("identifier")
    assert form.fields["identifier"] in {ALICE, f"@{ALICE}"}
    assert form.fields["return_to"] == "/auth/account"
    assert not is_signed_in(browser)
    assert page.types(ALICE).approves().url == SIGNUP


def test_another_account_than_the_typed_one_is_refused(
    browser: Browser, world: World
) -> None:
    """6.11, 6.15: no session, no cookie, no living grant."""
    page = browser.opens_login().types(ALICE).approves(BOB)

    assert (page.status, page.error) == (403, "account_mismatch")
    assert not is_signed_in(browser)
    assert held_secret(browser) is None
    assert world.skyhost.server.grants.alive(world.bob.did) == []


def test_a_failed_login_leaves_the_session_before_it(browser: Browser) -> None:
    browser.signs_in(ALICE, username="alice")

    browser.opens_login(prompt="login").types(BOB).approves(ALICE)

    assert browser.visits("/auth/session").json["username"] == "alice"


# --- browsers and tabs ----------------------------------------------------------------


def test_a_login_finished_in_another_browser_is_refused(
    service: Service, browser: Browser, network: FakeNetwork
) -> None:
    """9.12, 9.14: the state survives for the right one."""
    callback = browser.opens_login().types(ALICE).answer()
    other = service.browser()

    page = other.visits(callback, site="cross-site")

    assert (page.status, page.error) == (403, "wrong_browser")
    assert network.sent(path="/oauth/token") == []
    assert not is_signed_in(other)
    assert browser.visits(callback, site="cross-site").url == SIGNUP


def test_a_login_that_somebody_else_began_is_not_finished_here(
    service: Service, browser: Browser
) -> None:
    """9.12, login CSRF: the attacker's callback does not sign the victim in."""
    attacker = service.browser()
    callback = attacker.opens_login().types(BOB).answer()
    browser.opens_login().types(ALICE)

    page = browser.visits(callback, site="cross-site")

    assert page.error == "wrong_browser"
    assert not is_signed_in(browser)


def test_a_link_scanner_burns_nothing(service: Service, browser: Browser) -> None:
    """6.3: a program without cookies follows the callback first."""
    callback = browser.opens_login().types(ALICE).answer()
    service.get(callback.removeprefix(HOME))

    assert browser.visits(callback, site="cross-site").url == SIGNUP


def test_two_tabs_side_by_side_both_arrive(browser: Browser) -> None:
    """9.12: one cookie per flow; the first begun is finished last."""
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
    """6.2, 6.8: and the code is not sent a second time."""
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
    """6.3."""
    browser.signs_in(ALICE, username="alice")
    callback = next(url for url in browser.trail if "/auth/callback" in url)

    page = service.browser().visits(callback, site="cross-site")

    assert (page.status, page.error) == (400, "login_expired")


def test_a_login_left_waiting_too_long_begins_again(
    browser: Browser, world: World
) -> None:
    """4.19."""
    callback = browser.opens_login().types(ALICE).answer()
    world.clock.advance(3601)

    page = browser.visits(callback, site="cross-site")

    assert (page.status, page.error) == (400, "login_expired")


def test_half_an_hour_at_the_host_is_no_matter(
    browser: Browser, network: FakeNetwork, world: World
) -> None:
    """6.13: the evidence is looked for again, and holds."""
    at_host = browser.opens_login().types(ALICE)
    world.clock.advance(1800)

    assert at_host.approves().url == SIGNUP
    assert query_of(at_host.url)["client_id"] == f"{HOME}/oauth-client-metadata.json"


# --- accounts -------------------------------------------------------------------------


def test_a_disabled_account_is_shut(
    service: Service, browser: Browser, world: World
) -> None:
    """Told so, and its grant is revoked (6.15)."""
    browser.signs_in(ALICE, username="alice")
    service.rows("UPDATE users SET disabled_at = 1 WHERE did = ?", world.alice.did)
    other = service.browser()

    page = other.signs_in(ALICE)

    assert (page.status, page.error) == (403, "account_disabled")
    assert held_secret(other) is None
    assert browser.visits("/auth/session").status == 403
    assert len(world.skyhost.server.grants.alive(world.alice.did)) == 1


def test_the_account_is_the_did_and_not_the_handle(
    service: Service, browser: Browser, world: World
) -> None:
    """1.30: a handle that moves to another person takes nothing along."""
    browser.signs_in(ALICE, username="alice")
    world.clock.advance(600)
    heir = world.settle(ALICE, world.skyhost, did="did:web:heir.coffee")
    world.publish(world.alice, world.skyhost, alsoKnownAs=[])

    arrived = service.browser().signs_in(ALICE, username="heir")

    assert arrived.url == ACCOUNT
    assert heir.did in arrived.text
    names = service.rows("SELECT did, username FROM users ORDER BY username")
    assert names == [(world.alice.did, "alice"), (heir.did, "heir")]


def test_a_renamed_account_is_shown_by_its_new_handle(
    service: Service, browser: Browser, world: World
) -> None:
    browser.signs_in(ALICE, username="alice")
    world.clock.advance(3600)
    renamed = world.settle("alice.paints.ink", world.skyhost, did=world.alice.did)

    other = service.browser()
    other.signs_in(renamed.handle)

    assert other.visits("/auth/session").json["handle"] == "alice.paints.ink"
    assert other.visits("/auth/session").json["username"] == "alice"


def test_a_handle_that_moved_on_is_shown_no_longer(
    service: Service, browser: Browser, world: World
) -> None:
    """1.22, 1.30: at the next login it is not verified, so the token names none."""
    browser.signs_in(ALICE, username="alice")
    world.clock.advance(600)
    world.home(ALICE).did = world.bob.did
    other = service.browser()

    other.opens_login().types(world.alice.did).approves(ALICE)

    assert other.visits("/auth/session").json["handle"] is None


def test_an_account_whose_handle_is_dead_signs_in_by_did(
    browser: Browser, world: World
) -> None:
    """1.22, 9.18: the page shows the DID."""
    world.home(ALICE).did = None

    at_host = browser.opens_login().types(world.alice.did)
    page = at_host.approves(ALICE)

    assert page.url == SIGNUP
    assert world.alice.did in page.text
    assert page.chooses("alice").url == ACCOUNT
    assert browser.visits("/auth/session").json["handle"] is None


def test_the_way_back_from_the_host_is_fast_and_leaks_nothing(
    browser: Browser,
) -> None:
    """6.20: the callback's URL holds the code."""
    callback = browser.opens_login().types(ALICE).answer()

    answer = browser.requests("GET", callback, site="cross-site")

    assert answer.status == 303
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_a_host_that_is_down_can_be_tried_again(
    browser: Browser, network: FakeNetwork
) -> None:
    """One failure never blocks the next try."""
    url = f"{ENTRYWAY}/oauth/par"
    network.lay(url, faults.Refuses(), times=1)
    page = browser.opens_login().tries(ALICE)
    assert isinstance(page, Page)
    assert (page.status, page.error) == (504, "host_unreachable")

    assert page.types(ALICE).approves().url == SIGNUP
