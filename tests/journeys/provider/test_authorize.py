"""GET and POST /oauth/authorize: from an app through sign-in and consent, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.browser import query_of
from tests.fakes.page import Page
from tests.fakes.relying_party import RelyingParty, allows
from tests.journeys.people.commands import events, runs
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.browser import Browser
    from tests.fakes.world import World
    from tests.service import Service

ALICE = "alice.skyhost.social"
LONG = "s" * 2_000


def test_person_who_is_signed_in_consents_once(
    app: RelyingParty, alice: Browser, service: Service
) -> None:
    page = app.sends(alice)
    assert page.url.startswith(f"{service.home}/oauth/consent?request=")
    for fact in ("app", "alice", ALICE, "app.example.org", "username"):
        assert fact in page.text

    assert len(app.code(allows(page))) == 43

    assert app.code(app.sends(alice))
    [(did, detail)] = events(service, "app_allowed")
    assert detail == {"client": "app", "scope": "openid profile"}
    grants = service.rows("SELECT did, client_id, scope FROM provider_grants")
    assert grants == [(did, "app", "openid profile")] * 2


def test_sign_in_to_an_app_with_a_living_session_asks_no_host(
    app: RelyingParty, alice: Browser, world: World
) -> None:
    world.network.forget()

    assert app.code(allows(app.sends(alice)))
    assert app.code(app.sends(alice))

    assert world.network.sent() == []


def test_member_signs_in_and_comes_back_to_a_request_of_any_length(
    app: RelyingParty, service: Service
) -> None:
    browser = service.browser()

    page = app.sends(browser, state=LONG, nonce=LONG)
    assert page.url.startswith(f"{service.home}/auth/login?")
    consent = page.types(ALICE).approves()

    assert "code" in app.receives(allows(consent), state=LONG)


def test_newcomer_signs_up_and_comes_back_to_the_request(service: Service) -> None:
    app = RelyingParty.registered(service)

    page = app.sends(service.browser())
    consent = page.types(ALICE).approves().chooses("alice")

    assert app.code(allows(consent))


def test_newcomer_who_is_in_the_sign_up_comes_back_to_the_request(
    service: Service,
) -> None:
    app, browser = RelyingParty.registered(service), service.browser()
    browser.opens_login().types(ALICE).approves()

    signup = app.sends(browser)
    consent = signup.chooses("alice")

    assert app.code(allows(consent))


def test_request_by_post_goes_on_by_get_with_cookies(
    app: RelyingParty, alice: Browser
) -> None:
    page = app.posts(alice)

    assert isinstance(page, Page)
    assert app.code(allows(page))
    assert app.code(app.posts(alice))


def test_denial_is_told_to_the_app_and_stays(app: RelyingParty, alice: Browser) -> None:
    page = app.sends(alice)

    assert app.error(page.presses(decision="deny")) == "access_denied"
    assert app.error(page.presses(decision="allow")) == "access_denied"


def test_trusted_app_asks_no_consent(alice: Browser, service: Service) -> None:
    app = RelyingParty.registered(service, "--trusted")

    assert app.code(app.sends(alice))
    assert events(service, "app_allowed") == []


def test_wider_scope_is_asked_and_a_narrower_one_is_not(
    alice: Browser, service: Service
) -> None:
    app = RelyingParty.registered(service, "--scope", "openid profile groups")
    app.code(allows(app.sends(alice)))

    assert app.code(app.sends(alice, scope="openid"))
    page = app.sends(alice, scope="openid groups")
    assert "groups" in page.text
    app.code(allows(page))
    assert app.code(app.sends(alice, scope="openid profile groups"))


@pytest.mark.parametrize(
    "redirect_uri", ["http://127.0.0.1/cb", "com.example.sketch:/cb"]
)
def test_public_app_on_a_device_is_asked_every_time(
    alice: Browser, service: Service, redirect_uri: str
) -> None:
    app = RelyingParty.registered(service, "--public", redirect_uri=redirect_uri)
    app.redirect_uri = redirect_uri.replace("127.0.0.1", "127.0.0.1:50123")

    for _ in range(2):
        page = allows(app.sends(alice))
        assert isinstance(page, Page)
        assert page.status == 200
        [link] = [one for one in page.links if one.startswith(app.redirect_uri)]
        assert query_of(link)["state"] == app.state
        refresh = [given for tag, given in page.tags if tag == "meta"]
        assert {"http-equiv": "refresh", "content": f"0; url={link}"} in refresh


def test_app_on_loopback_gets_a_redirect_in_loopback_development(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(loopback=True)
    browser = service.browser()
    signs_in(service, browser, ALICE, username="alice")
    app = RelyingParty.registered(service, redirect_uri="http://127.0.0.1:4180/cb")

    assert app.code(allows(app.sends(browser)))


def test_policy_keeps_an_account_out_and_names_two_ways(
    alice: Browser, service: Service
) -> None:
    app = RelyingParty.registered(service, allow="did:plc:ewvi7nxzyoun6zhxrhs64oiz")

    page = app.sends(alice)

    assert (page.status, page.error) == (403, "not_allowed_here")
    assert [one for one in page.links if "prompt=select_account" in one]
    assert app.error(page.presses(decision="deny")) == "access_denied"
    assert service.rows("SELECT * FROM provider_grants") == []


def test_account_that_is_kept_out_cannot_post_an_answer(
    alice: Browser, service: Service
) -> None:
    app = RelyingParty.registered(service)
    form = app.sends(alice).form_that_says(decision="allow")
    runs(service, "clients", "edit", "app", "--allow", "group:staff")
    runs(service, "groups", "add", "staff", "did:plc:ewvi7nxzyoun6zhxrhs64oiz")

    page = alice.posts("/oauth/consent", {**form.fields, "decision": "allow"})

    assert isinstance(page, Page)
    assert page.error == "not_allowed_here"
    assert service.rows("SELECT * FROM provider_grants") == []


def test_another_account_may_answer_in_place_of_one_that_is_kept_out(
    alice: Browser, service: Service, world: World
) -> None:
    signs_in(service, service.browser(), "bob.skyhost.social", username="bob")
    app = RelyingParty.registered(service, allow=world.bob.did)
    refused = app.sends(alice)

    [other] = [one for one in refused.links if "prompt=select_account" in one]
    consent = alice.visits(other).types("bob.skyhost.social").approves()

    assert "bob" in consent.text
    assert app.code(allows(consent))
