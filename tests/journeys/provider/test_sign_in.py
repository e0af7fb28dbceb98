"""A whole sign-in at an app: browser, code, tokens, userinfo, refresh."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from app.flows.people.signup.admission import SignupRule
from app.flows.provider.grants.records import OFFLINE
from tests.fakes.page import Page
from tests.fakes.relying_party import RelyingParty, allows
from tests.journeys.people.commands import prints
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.browser import Browser
    from tests.service import Service

ALICE = "alice.skyhost.social"


@pytest.mark.parametrize("is_pushed", [False, True])
def test_member_signs_in_at_an_app_that_checks_all_of_it(
    service: Service, browser: Browser, *, is_pushed: bool
) -> None:
    """The app checks state, iss, PKCE, nonce, signature, audience and at_hash."""
    signs_in(service, browser, ALICE, username="alice")
    scope = f"openid profile groups {OFFLINE}"
    app = RelyingParty.registered(service, "--scope", scope, scope=scope)
    page = _sends(app, browser, is_pushed=is_pushed)

    tokens = app.tokens(app.code(allows(page)))

    claims = app.checks(tokens["id_token"])
    assert claims["preferred_username"] == "alice"
    told = service.get(
        "/oauth/userinfo", Authorization=f"Bearer {tokens['access_token']}"
    ).json()
    assert told["sub"] == claims["sub"]
    answer = app.calls(
        "/oauth/token",
        {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]},
    )
    refreshed = json.loads(answer.body)
    assert refreshed["scope"] == tokens["scope"] == scope
    # The platform's own sid leaves in no token (P33).
    [(sid,)] = service.rows("SELECT sid FROM sessions")
    assert claims["sid"] != sid
    assert sid not in json.dumps([claims, told, tokens, refreshed])


def _sends(app: RelyingParty, browser: Browser, *, is_pushed: bool) -> Page:
    if not is_pushed:
        return app.sends(browser)
    pushed = app.pushes()
    url = f"/oauth/authorize?client_id={app.client_id}&request_uri={pushed}"
    return browser.visits(url, site="cross-site")


def test_sign_in_page_names_the_app_and_leads_back_to_it(
    service: Service, browser: Browser
) -> None:
    app = RelyingParty.registered(service, "--name", "Wiki <b>")
    page = app.sends(browser)
    assert page.url.startswith(f"{service.home}/auth/login?")
    assert "to go on to Wiki <b>" in page.text
    again = page.submits(page.form_with("identifier"), identifier="no handle")
    assert isinstance(again, Page)
    assert "to go on to Wiki <b>" in again.text

    denied = page.presses(decision="deny")

    assert app.error(denied) == "access_denied"
    page = browser.visits(page.url)
    assert "to go on to" not in page.text
    assert (
        "to go on to" not in browser.visits("/auth/login?return_to=/oauth/consent").text
    )


def test_newcomer_who_cannot_join_has_a_way_back_to_the_app(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(signup_allow=SignupRule.parse("invited"))
    app = RelyingParty.registered(service)
    page = app.sends(service.browser()).types(ALICE).approves()

    assert (page.status, page.error) == (403, "not_a_member")
    assert "to go on to app" in page.text
    assert app.error(page.presses(decision="deny")) == "access_denied"


def test_newcomer_has_the_way_back_to_the_app_at_the_sign_up(service: Service) -> None:
    app = RelyingParty.registered(service)
    page = app.sends(service.browser()).types(ALICE).approves()

    assert page.url == f"{service.home}/auth/signup"
    assert app.error(page.presses(decision="deny")) == "access_denied"


def test_newcomer_who_is_refused_at_the_sign_up_has_the_way_back_to_the_app(
    open_service: Callable[..., Service],
) -> None:
    """The invitation was revoked since the account was proved."""
    service = open_service(signup_allow=SignupRule.parse("invited"))
    [made] = prints(service, "invitations", "create")
    app, browser = RelyingParty.registered(service), service.browser()
    browser.visits(made["link"])
    page = app.sends(browser).types(ALICE).approves()
    service.rows("UPDATE invitations SET revoked_at = 1")

    refused = page.chooses("alice")

    assert (refused.status, refused.error) == (403, "not_a_member")
    assert "to go on to app" in refused.text
    answer = app.receives(refused.presses(decision="deny"))
    assert answer["error"] == "access_denied"


def test_sign_in_that_fails_at_the_host_has_the_way_back_to_the_app(
    service: Service,
) -> None:
    app, browser = RelyingParty.registered(service), service.browser()
    host = app.sends(browser).types(ALICE)
    back = host.page.sends_back("server_error", "cannot").url

    page = browser.visits(back, site="cross-site")

    assert page.error == "host_unreachable"
    assert app.error(page.presses(decision="deny")) == "access_denied"


def test_two_apps_learn_nothing_of_each_other_from_sid(
    service: Service, browser: Browser
) -> None:
    signs_in(service, browser, ALICE, username="alice")
    sids = []
    for name in ("one", "two"):
        app = RelyingParty.registered(service, "--trusted", name=name)
        tokens = app.tokens(app.code(app.sends(browser)))
        sids.append(app.checks(tokens["id_token"])["sid"])

    assert len(set(sids)) == 2
