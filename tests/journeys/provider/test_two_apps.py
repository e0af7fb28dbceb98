"""One person in two apps: what one of them does leaves the other alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.relying_party import RelyingParty, allows
from tests.signed import signs_in

if TYPE_CHECKING:
    from tests.fakes.browser import Browser
    from tests.service import Service

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"


@pytest.fixture
def alice(service: Service) -> Browser:
    return signs_in(service, service.browser(), ALICE, username="alice")


@pytest.fixture
def wiki(alice: Browser, service: Service) -> RelyingParty:
    return RelyingParty.registered(service, name="wiki")


@pytest.fixture
def reader(alice: Browser, service: Service) -> RelyingParty:
    return RelyingParty.registered(
        service, name="reader", redirect_uri="https://reader.example.org/cb"
    )


def lets_in(browser: Browser, app: RelyingParty) -> dict[str, Any]:
    """Consent and exchange the code; return the tokens."""
    return app.tokens(app.code(allows(app.sends(browser))))


def refreshes(app: RelyingParty, tokens: dict[str, Any]) -> dict[str, Any] | None:
    """Return the tokens of a refresh, or None if it is refused."""
    fields = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    answer = app.calls("/oauth/token", dict(fields))
    body: dict[str, Any] = json.loads(answer.body)
    if answer.status != 200:
        assert body["error"] == "invalid_grant"
        return None
    return body


def opens_userinfo(service: Service, tokens: dict[str, Any]) -> bool:
    bearer = f"Bearer {tokens['access_token']}"
    return service.get("/oauth/userinfo", Authorization=bearer).status == 200


def test_prompt_login_in_one_app_signs_out_of_no_other(
    service: Service, alice: Browser, wiki: RelyingParty, reader: RelyingParty
) -> None:
    of_wiki, of_reader = lets_in(alice, wiki), lets_in(alice, reader)
    before = alice.visits("/auth/session").json["session_id"]
    first = wiki.checks(of_wiki["id_token"])
    service.world.clock.advance(600)

    page = wiki.sends(alice, prompt="login").types(ALICE).approves()
    again = wiki.tokens(wiki.code(page))

    assert alice.visits("/auth/session").json["session_id"] != before
    assert wiki.checks(again["id_token"])["auth_time"] == first["auth_time"] + 600
    refreshed = refreshes(reader, of_reader)
    assert refreshed is not None
    assert opens_userinfo(service, refreshed)
    assert refreshes(wiki, of_wiki)
    assert refreshes(wiki, again)


def test_sign_in_of_another_account_ends_the_grants_of_the_browser(
    service: Service, alice: Browser, wiki: RelyingParty
) -> None:
    tokens = lets_in(alice, wiki)

    alice.opens_login(prompt="select_account").types(BOB).approves().chooses("bobby")

    assert refreshes(wiki, tokens) is None
    assert not opens_userinfo(service, tokens)


def test_app_that_is_removed_loses_its_tokens_and_asks_again(
    service: Service, alice: Browser, wiki: RelyingParty, reader: RelyingParty
) -> None:
    of_wiki, of_reader = lets_in(alice, wiki), lets_in(alice, reader)
    code = wiki.code(wiki.sends(alice))

    alice.visits("/auth/account").presses(client="wiki")

    assert not opens_userinfo(service, of_wiki)
    assert refreshes(wiki, of_wiki) is None
    assert wiki.redeems(code).status == 400
    assert opens_userinfo(service, of_reader)
    assert refreshes(reader, of_reader)
    assert "/oauth/consent" in wiki.sends(alice).url


def test_account_page_says_when_an_app_last_refreshed(
    service: Service, alice: Browser, wiki: RelyingParty
) -> None:
    tokens = lets_in(alice, wiki)
    service.world.clock.advance(3 * 3600)
    refreshes(wiki, tokens)
    service.world.clock.advance(3600)

    text = alice.visits("/auth/account").text

    assert "Allowed: 4 hours ago . Last used: 1 hour ago ." in text
    assert "Allowed an app: wiki" in text


def test_sign_out_ends_the_grants_and_keeps_the_consent(
    service: Service, alice: Browser, wiki: RelyingParty
) -> None:
    tokens = lets_in(alice, wiki)

    alice.signs_out()

    assert not opens_userinfo(service, tokens)
    assert refreshes(wiki, tokens) is None
    alice.signs_in(ALICE)
    assert wiki.code(wiki.sends(alice))
