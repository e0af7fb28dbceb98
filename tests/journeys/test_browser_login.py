"""Signing in with a browser, from the form to the cookie, against the fake network."""

from __future__ import annotations

from tests.fakes import faults
from tests.fakes.browser import Browser
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
    """Requirement 6.19: signing out on one leaves the other."""
    browser.signs_in(ALICE, username="alice")
    other = service.browser()
    other.signs_in(ALICE)

    other.signs_out()

    assert browser.is_signed_in()
    assert not other.is_signed_in()


def test_a_platform_token_is_renewed_without_a_visit_to_the_host(
    browser: Browser, network: FakeNetwork, world: World
) -> None:
    """The session behind it lives longer; no host is asked."""
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

    assert "identifier" in browser.opens_login().form_with("identifier").visible


def test_session_secret_after_expiry_is_refused(browser: Browser, world: World) -> None:
    """The end of a session is decided here, not by the browser's Max-Age."""
    browser.signs_in(ALICE, username="alice")
    secret = held_secret(browser)
    world.clock.advance(30 * 24 * 3600 + 1)
    browser.jar.receive(HOME, [f"{SESSION}={secret}; Path=/; Secure; HttpOnly"])

    assert "identifier" in browser.opens_login().form_with("identifier").visible


def test_login_form_while_signed_in_redirects_to_target(browser: Browser) -> None:
    browser.signs_in(ALICE, username="alice")

    arrived = browser.opens_login(return_to="https://app.platform.cafe/board")

    assert arrived.url == "https://app.platform.cafe/board"


def test_login_form_with_prompt_is_shown_while_signed_in(browser: Browser) -> None:
    browser.signs_in(ALICE, username="alice")

    assert (
        "identifier"
        in browser.opens_login(prompt="login").form_with("identifier").visible
    )


def test_signing_in_as_another_person_ends_the_first_session(
    service: Service, browser: Browser, world: World
) -> None:
    """Requirement 6.17: a new session, and the grant of the old one is revoked."""
    browser.signs_in(ALICE, username="alice")
    before = held_secret(browser)

    browser.opens_login(prompt="login").types(BOB).approves().chooses("bobby")

    assert held_secret(browser) != before
    assert browser.visits("/auth/session").json["username"] == "bobby"
    assert world.skyhost.server.grants.alive(world.alice.did) == []


def test_login_replaces_a_session_cookie_planted_before(
    service: Service, browser: Browser
) -> None:
    """Requirement 6.17: no fixation; the attacker's session is not the victim's."""
    attacker = service.browser()
    attacker.signs_in(BOB, username="mallory")
    planted = held_secret(attacker)
    browser.jar.receive(HOME, [f"{SESSION}={planted}; Path=/; Secure; HttpOnly"])

    browser.opens_login(prompt="login").types(ALICE).approves().chooses("alice")

    assert held_secret(browser) != planted
    assert not attacker.is_signed_in()


# --- what the person decides ----------------------------------------------------------


def test_denied_login_shows_the_form_again(browser: Browser, world: World) -> None:
    """Neutral, filled in, and nothing lost."""
    at_host = browser.opens_login(return_to="/auth/account").types(f"@{ALICE}")

    page = at_host.denies()

    assert (page.status, page.error) == (400, "access_denied")
    form = page.form_with("identifier")
    assert form.fields["identifier"] in {ALICE, f"@{ALICE}"}
    assert form.fields["return_to"] == "/auth/account"
    assert not browser.is_signed_in()
    assert page.types(ALICE).approves().url == SIGNUP


def test_another_account_than_the_typed_one_is_refused(
    browser: Browser, world: World
) -> None:
    """Requirements 6.11, 6.15: no session, no cookie, no living grant."""
    page = browser.opens_login().types(ALICE).approves(BOB)

    assert (page.status, page.error) == (403, "account_mismatch")
    assert not browser.is_signed_in()
    assert held_secret(browser) is None
    assert world.skyhost.server.grants.alive(world.bob.did) == []


def test_a_failed_login_leaves_the_session_before_it(browser: Browser) -> None:
    browser.signs_in(ALICE, username="alice")

    browser.opens_login(prompt="login").types(BOB).approves(ALICE)

    assert browser.visits("/auth/session").json["username"] == "alice"


# --- accounts -------------------------------------------------------------------------


def test_disabled_account_gets_account_disabled(
    service: Service, browser: Browser, world: World
) -> None:
    """Told so, and its grant is revoked (requirement 6.15)."""
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
    """Requirement 1.30: a handle that moves to another person takes nothing along."""
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
    """Requirements 1.22, 1.30: at the next login it is not verified, so the token
    names none.
    """
    browser.signs_in(ALICE, username="alice")
    world.clock.advance(600)
    world.home(ALICE).did = world.bob.did
    other = service.browser()

    other.opens_login().types(world.alice.did).approves(ALICE)

    assert other.visits("/auth/session").json["handle"] is None


def test_an_account_whose_handle_is_dead_signs_in_by_did(
    browser: Browser, world: World
) -> None:
    """Requirements 1.22, 9.18: the page shows the DID."""
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
    """Requirement 6.20: the callback's URL holds the code."""
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
