"""Signing out: here at once, at the host as far as it can be reached (requirement
7.19).
"""

from __future__ import annotations

from typing import Any

import pytest

from app.flows.sweep import MAX_RUNS, REVOKED_WITHIN
from tests.fakes import faults
from tests.fakes.browser import Browser
from tests.fakes.faults import REMOVED
from tests.fakes.network import FakeNetwork
from tests.fakes.world import World
from tests.service import HOME, Service
from tests.signed import signs_in

ALICE = "alice.skyhost.social"
REVOKE = "https://as.skyhost.social/oauth/revoke"
SESSION = "__Host-latchkey-session"
GET_SESSION = "/auth/xrpc/com.atproto.server.getSession"
MINUTES = 300.0


@pytest.fixture
def alice(browser: Browser, service: Service) -> Browser:
    return signs_in(service, browser, ALICE, username="alice")


def test_a_sign_out_ends_the_session_and_the_grant(
    alice: Browser, world: World
) -> None:
    page = alice.signs_out()

    assert page.status == 200
    assert alice.jar.get("platform_token") is None
    assert alice.jar.get(SESSION) is None
    assert alice.visits("/auth/session").status == 401
    assert world.skyhost.server.grants.alive(world.alice.did) == []


def test_a_refresh_at_the_host_fails_afterwards(
    alice: Browser, service: Service, world: World
) -> None:
    """The proof that the host was asked properly: 200 alone proves nothing."""
    server = world.skyhost.server
    grant = server.grants.alive(world.alice.did)[0]

    alice.signs_out()

    with pytest.raises(Exception, match="Invalid refresh token"):
        server.grants.of_refresh_token(grant.refresh_token)


@pytest.mark.parametrize(
    "fault",
    [
        faults.Refuses(),
        faults.DropsAnswer(),
        faults.bad_gateway(),
        faults.too_many(),
        faults.a_page(404),
    ],
    ids=str,
)
def test_logout_with_an_unreachable_host_signs_out(
    alice: Browser, network: FakeNetwork, service: Service, fault: Any
) -> None:
    network.lay(REVOKE, fault)

    token = alice.jar.get("platform_token")
    assert token is not None

    page = alice.signs_out()

    assert page.status == 200
    assert alice.visits("/auth/session").status == 401
    call = service.get(GET_SESSION, Authorization=f"Bearer {token.value}")
    assert call.status == 401


def test_sweep_revokes_a_grant_once_whose_host_was_down_at_the_sign_out(
    alice: Browser, network: FakeNetwork, service: Service, world: World
) -> None:
    network.lay(REVOKE, faults.Refuses())
    assert "does not answer right now" in alice.signs_out().text
    sweeps(service)
    assert world.skyhost.server.grants.alive(world.alice.did)

    network.mend(REVOKE)
    world.clock.advance(MINUTES)
    sweeps(service)

    assert world.skyhost.server.grants.alive(world.alice.did) == []
    assert service.rows("SELECT * FROM oauth_sessions") == []
    network.forget()
    sweeps(service)
    assert network.sent() == []


def test_sweep_gives_up_a_grant_after_a_day(
    alice: Browser, network: FakeNetwork, service: Service, world: World
) -> None:
    network.lay(REVOKE, faults.Refuses())
    alice.signs_out()
    for _ in range(MAX_RUNS):
        sweeps(service)
    world.clock.advance(REVOKED_WITHIN - 1)
    sweeps(service)
    assert service.rows("SELECT did FROM oauth_sessions") == [(world.alice.did,)]

    world.clock.advance(1)
    sweeps(service)

    assert service.rows("SELECT did FROM oauth_sessions") == []


def sweeps(service: Service) -> None:
    result = service.app.test_cli_runner().invoke(args=["sweep"])
    assert result.exit_code == 0, result.output


def test_logout_with_a_slow_host_returns_within_its_budget(
    alice: Browser, network: FakeNetwork, world: World
) -> None:
    network.lay(REVOKE, faults.Waits(world.clock, 600))
    began = world.clock.monotonic()

    assert alice.signs_out().status == 200
    assert world.clock.monotonic() - began <= 15


def test_a_token_that_was_copied_is_refused_after_signing_out(
    alice: Browser, service: Service
) -> None:
    """The session behind a token is looked at, not its expiry alone."""
    cookie = alice.jar.get("platform_token")
    assert cookie is not None
    alice.signs_out()

    answer = service.get("/auth/session", Authorization=f"Bearer {cookie.value}")

    assert answer.status == 401


def test_a_copied_session_cookie_is_worth_nothing_afterwards(
    alice: Browser, service: Service
) -> None:
    cookie = alice.jar.get(SESSION)
    assert cookie is not None
    alice.signs_out()
    thief = service.browser()
    thief.jar.receive(HOME, [f"{SESSION}={cookie.value}; Path=/; Secure"])

    assert "identifier" in thief.opens_login().form_with("identifier").visible


def test_the_platform_token_alone_signs_out_as_well(
    alice: Browser, service: Service, world: World
) -> None:
    """When the session's own cookie is gone, the token still names the session."""
    token = alice.jar.get("platform_token")
    assert token is not None
    other = service.browser()
    header = f"platform_token={token.value}; Domain=platform.cafe; Path=/; Secure"
    other.jar.receive(HOME, [header])

    other.signs_out()

    assert alice.visits("/auth/session").status == 401
    assert world.skyhost.server.grants.alive(world.alice.did) == []


@pytest.mark.parametrize("value", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
def test_logout_with_an_invalid_token_ends_no_session(
    alice: Browser, service: Service, value: str
) -> None:
    other = service.browser()
    header = f"platform_token={value}; Domain=platform.cafe; Path=/; Secure"
    other.jar.receive(HOME, [header])

    assert other.signs_out().status == 200
    assert alice.visits("/auth/session").status == 200


def test_signing_out_twice_is_no_error(alice: Browser, network: FakeNetwork) -> None:
    alice.signs_out()
    network.forget()

    assert alice.signs_out().status == 200
    assert network.sent() == []


def test_logout_without_a_session_shows_signed_out(browser: Browser) -> None:
    assert browser.signs_out().status == 200


def test_after_signing_out_one_can_sign_in_again(alice: Browser) -> None:
    alice.signs_out()

    assert alice.signs_in(ALICE).url == f"{HOME}/auth/account"


def test_signing_out_where_the_client_key_has_gone(
    alice: Browser, service: Service, network: FakeNetwork
) -> None:
    """Requirement 7.4: nothing can be said to the host; the session ends here all
    the same.
    """
    service.rows("UPDATE oauth_sessions SET client_kid = 'gone'")
    network.forget()

    assert alice.signs_out().status == 200
    assert network.sent(path="/oauth/revoke") == []
    assert alice.visits("/auth/session").status == 401


def test_sign_out_at_host_without_revocation_says_that_access_stays(
    browser: Browser, world: World
) -> None:
    """Requirement 7.19: the server publishes no revocation_endpoint, so the grant
    goes on.
    """
    world.skyhost.server.lies.metadata["revocation_endpoint"] = REMOVED
    browser.signs_in(ALICE, username="alice")

    page = browser.signs_out()

    assert "as.skyhost.social has no way to be asked" in page.text
    assert browser.jar.get(SESSION) is None


# --- what this device keeps -----------------------------------------------------------


def remembers(browser: Browser) -> bool:
    return ALICE in browser.visits("/auth/login?prompt=login").text


@pytest.mark.parametrize(("fields", "kept"), [({}, False), ({"keep": "1"}, True)])
def test_sign_out_forgets_the_account_on_this_device_unless_it_is_kept(
    browser: Browser, fields: dict[str, str], *, kept: bool
) -> None:
    browser.signs_in(ALICE, username="alice")
    assert remembers(browser)

    browser.posts("/auth/logout", fields)

    assert remembers(browser) is kept


def test_second_sign_out_forgets_no_other_account(browser: Browser) -> None:
    browser.signs_in("rosies.garden", username="rosie")
    browser.signs_in(ALICE, username="alice", prompt="login")

    browser.posts("/auth/logout", {})
    browser.posts("/auth/logout", {})

    assert not remembers(browser)
    assert "rosies.garden" in browser.visits("/auth/login").text


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_sign_out_during_an_outage_clears_the_cookies_and_returns_503(
    alice: Browser, service: Service, accept: str
) -> None:
    service.rows("ALTER TABLE sessions RENAME TO gone")

    answer = alice.requests(
        "POST", f"{HOME}/auth/logout", site="same-origin", accept=accept
    )

    assert answer.status == 503
    assert answer.headers["Retry-After"] == "10"
    assert alice.jar.get("platform_token") is None
    assert alice.jar.get("__Host-latchkey-session") is None


def test_sign_out_during_an_outage_says_that_the_session_is_not_ended(
    alice: Browser, service: Service
) -> None:
    service.rows("ALTER TABLE sessions RENAME TO gone")

    page = alice.signs_out()

    assert page.status == 503
    assert "itself is not ended yet" in page.text
