"""Hosts that lie, seen from a browser: clear words, nothing kept, a next try."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes import faults
from tests.fakes.browser import Browser, query_of
from tests.fakes.faults import REMOVED
from tests.fakes.network import FakeNetwork
from tests.fakes.page import Page
from tests.fakes.world import World
from tests.service import HOME, Service

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"
ENTRYWAY = "https://as.skyhost.social"
TOKEN = f"{ENTRYWAY}/oauth/token"
SIGNUP = f"{HOME}/auth/signup"


def nothing_is_kept(service: Service, browser: Browser) -> None:
    """No session, no cookie of one, and no living grant at any host."""
    assert service.rows("SELECT * FROM sessions") == []
    assert service.rows("SELECT * FROM oauth_sessions") == []
    assert service.rows("SELECT * FROM users") == []
    assert browser.jar.get("__Host-latchkey-session") is None
    assert browser.jar.get("platform_token") is None
    for server in service.world.servers.values():
        assert not any(grant.alive for grant in server.grants.all)


@pytest.mark.parametrize("iss", [REMOVED, "", "https://as.evil.social", f"{ENTRYWAY}/"])
def test_callback_with_another_issuer_is_refused(
    service: Service, browser: Browser, network: FakeNetwork, iss: Any
) -> None:
    """Requirement 6.5: refused before the code goes anywhere."""
    service.world.skyhost.server.lies.callback_iss = iss

    page = browser.opens_login().types(ALICE).approves()

    assert (page.status, page.error) == (403, "issuer_mismatch")
    assert network.sent(path="/oauth/token") == []
    nothing_is_kept(service, browser)


def test_callback_that_mixes_up_two_servers_is_refused(
    service: Service, browser: Browser, network: FakeNetwork
) -> None:
    """Requirements 6.5, 9.16: the code of an honest server does not reach a
    dishonest one.
    """
    honest = query_of(browser.opens_login().types(ALICE).answer())
    evil = query_of(browser.opens_login().types("rosies.garden").answer())

    mixed = f"/auth/callback?state={evil['state']}&iss={ENTRYWAY}&code={honest['code']}"
    page = browser.visits(mixed, site="cross-site")

    assert page.error == "issuer_mismatch"
    assert network.sent(path="/oauth/token") == []
    nothing_is_kept(service, browser)


@pytest.mark.parametrize("name", ["state", "code", "iss"])
def test_callback_with_a_repeated_parameter_is_refused(
    service: Service, browser: Browser, network: FakeNetwork, name: str
) -> None:
    """Requirement 6.1."""
    service.world.skyhost.server.lies.callback_repeats = (name,)

    page = browser.opens_login().types(ALICE).approves()

    assert (page.status, page.error) == (400, "invalid_request")
    assert network.sent(path="/oauth/token") == []
    nothing_is_kept(service, browser)


def test_token_answer_with_another_subject_is_refused(
    service: Service, browser: Browser, world: World
) -> None:
    """Requirements 6.11, 6.15."""
    world.skyhost.server.lies.subject = world.rosie.did

    page = browser.opens_login().types(ALICE).approves()

    assert (page.status, page.error) == (403, "account_mismatch")
    nothing_is_kept(service, browser)


def test_server_start_with_a_foreign_subject_is_refused(
    service: Service, browser: Browser, world: World
) -> None:
    """Requirement 6.12: no sign-in as Alice at a server that is not hers."""
    rogue = world.add_host("rogue.social")
    world.settle("mallory.rogue.social", rogue)
    rogue.server.lies.subject = world.alice.did

    at_host = browser.opens_login().types("https://rogue.social")
    page = at_host.approves("mallory.rogue.social")

    assert (page.status, page.error) == (403, "issuer_mismatch")
    nothing_is_kept(service, browser)


def test_pds_that_names_a_foreign_server_is_refused(
    service: Service, browser: Browser, world: World
) -> None:
    """Requirements 2.9, 6.12: one's own PDS may name any server, and gains no
    account by it.
    """
    trap = world.add_host("trap.social", server="as.trap.social")
    world.settle("mallory.trap.social", trap)
    trap.pds.document["authorization_servers"] = [ENTRYWAY]

    page = browser.opens_login().types("mallory.trap.social").approves(BOB)

    assert page.error == "account_mismatch"
    nothing_is_kept(service, browser)


def test_handle_that_names_a_foreign_account_is_refused(
    service: Service, browser: Browser, world: World, network: FakeNetwork
) -> None:
    """Requirement 1.21: the account does not claim it."""
    world.home("mallory.paints.ink").did = world.alice.did

    page = browser.opens_login().tries("mallory.paints.ink")

    assert isinstance(page, Page)
    assert (page.status, page.error) == (400, "handle_mismatch")
    assert network.sent(path="/oauth/par") == []


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (faults.bad_gateway(), 502, "host_unreachable"),
        (faults.too_many(), 502, "host_unreachable"),
        (faults.Refuses(), 504, "host_unreachable"),
        (faults.a_page(), 502, "server_invalid"),
        (faults.missing(), 502, "server_invalid"),
        (faults.redirect("https://evil.cafe/token", 307), 502, "server_invalid"),
        (faults.ChangesJSON({"sub": REMOVED}), 502, "server_invalid"),
        (faults.ChangesJSON({"access_token": REMOVED}), 502, "server_invalid"),
        (faults.ChangesJSON({"scope": "transition:x"}), 502, "server_invalid"),
        (faults.ChangesJSON({"token_type": "Bearer"}), 502, "server_invalid"),
    ],
    ids=str,
)
def test_malformed_token_answer_is_refused(
    service: Service,
    browser: Browser,
    network: FakeNetwork,
    fault: Any,
    status: int,
    code: str,
) -> None:
    """Requirements 6.8, 6.10, 9.5: and the next login goes through."""
    at_host = browser.opens_login().types(ALICE)
    network.lay(TOKEN, fault)

    page = at_host.approves()

    assert (page.status, page.error) == (status, code)
    nothing_is_kept(service, browser)
    network.mend(TOKEN)
    assert browser.opens_login().types(ALICE).approves().url == SIGNUP


def test_a_lost_token_answer_begins_again(
    service: Service, browser: Browser, network: FakeNetwork
) -> None:
    """Requirement 6.8: the code is not sent twice; the person starts over."""
    at_host = browser.opens_login().types(ALICE)
    network.lay(TOKEN, faults.DropsAnswer(), times=1)

    page = at_host.approves()

    assert (page.status, page.error) == (504, "host_unreachable")
    assert len(network.sent(path="/oauth/token")) == 1
    assert browser.opens_login().types(ALICE).approves().url == SIGNUP


def test_a_slow_host_ends_in_time(
    service: Service, browser: Browser, network: FakeNetwork, world: World
) -> None:
    """A clear message within ten seconds."""
    network.lay(f"{ENTRYWAY}/oauth/par", faults.Waits(world.clock, 600))
    began = world.clock.monotonic()

    page = browser.opens_login().tries(ALICE)

    assert isinstance(page, Page)
    assert (page.status, page.error) == (504, "host_unreachable")
    assert world.clock.monotonic() - began <= 10


@pytest.mark.parametrize(
    "endpoint",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "http://as.skyhost.social/oauth/authorize",
        "https://10.0.0.5/authorize",
        "https://user@as.skyhost.social/authorize",
        "//evil.cafe/authorize",
        "https://auth.platform.cafe/auth/logout",
    ],
)
def test_unsafe_authorization_endpoint_is_not_redirected_to(
    browser: Browser, world: World, endpoint: str
) -> None:
    """Requirement 9.10."""
    world.skyhost.server.lies.metadata["authorization_endpoint"] = endpoint

    page = browser.opens_login().tries(ALICE)

    assert isinstance(page, Page)
    assert (page.status, page.error) == (502, "server_invalid")


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '"><img src=x>', "{{1337*1337}}"]
)
def test_what_was_typed_is_shown_as_text(browser: Browser, name: str) -> None:
    """Requirement 9.11."""
    page = browser.opens_login().tries(name)

    assert isinstance(page, Page)
    assert name not in page.html or name == "{{1337*1337}}"
    assert page.form_with("identifier").fields["identifier"] == name
    assert "1787569" not in page.text


def test_https_answer_is_used_while_dns_is_slow(browser: Browser, world: World) -> None:
    """The one real wait of this suite: TXT is given 300 ms, not its whole patience."""
    held = world.dns.holds(f"_atproto.{ALICE}")

    try:
        assert browser.opens_login().types(ALICE).approves().url == SIGNUP
    finally:
        held.set()


def test_handle_with_two_answers_returns_the_did_of_dns(
    browser: Browser, world: World
) -> None:
    """Requirement 1.12: TXT says Bob, HTTPS says Alice; then the account decides
    (requirement 1.21).
    """
    world.dns.records[f"_atproto.{ALICE}"] = [f"did={world.bob.did}"]

    page = browser.opens_login().tries(ALICE)

    assert isinstance(page, Page)
    assert page.error == "handle_mismatch"


def test_two_different_records_are_no_answer(browser: Browser, world: World) -> None:
    """Requirement 1.13: neither is picked; HTTPS may still say."""
    name = f"_atproto.{ALICE}"
    world.dns.records[name] = [f"did={world.bob.did}", f"did={world.alice.did}"]

    assert browser.signs_in(ALICE, username="alice").status == 200


def test_a_failing_name_server_is_asked_again(browser: Browser, world: World) -> None:
    """Requirement 1.18: SERVFAIL is no absence, and is not remembered."""
    world.settle("dana.paints.ink", world.skyhost, txt=True, https=False)
    world.dns.fails("_atproto.dana.paints.ink", "SERVFAIL")
    page = browser.opens_login().tries("dana.paints.ink")
    assert isinstance(page, Page)
    assert (page.status, page.error) == (504, "host_unreachable")

    assert page.types("dana.paints.ink").approves().url == SIGNUP


def test_a_handle_that_was_just_repaired_is_found(
    browser: Browser, world: World
) -> None:
    """Requirement 1.20: an absence is not remembered for longer than a minute."""
    world.home("eva.paints.ink")
    page = browser.opens_login().tries("eva.paints.ink")
    assert isinstance(page, Page)
    assert page.error == "handle_not_found"
    world.settle("eva.paints.ink", world.skyhost)
    world.clock.advance(61)

    assert page.types("eva.paints.ink").approves().url == SIGNUP
