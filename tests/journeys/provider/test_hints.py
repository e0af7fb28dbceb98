"""id_token_hint of a request: an id_token that this app got (P12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.relying_party import RelyingParty, allows

if TYPE_CHECKING:
    from tests.fakes.browser import Browser
    from tests.fakes.page import Page
    from tests.fakes.world import World
    from tests.service import Service

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"


@pytest.fixture
def hint(app: RelyingParty, alice: Browser) -> str:
    """The id_token that the app got for Alice."""
    return str(app.tokens(app.code(allows(app.sends(alice))))["id_token"])


def is_sign_in(page: Page) -> bool:
    return page.url.startswith(f"{page.browser.home}/auth/login?")


def test_hint_for_the_person_who_is_signed_in_goes_straight_on(
    app: RelyingParty, alice: Browser, hint: str, world: World
) -> None:
    world.clock.advance(3_601)  # expired, which a hint may be

    for prompt in ("", "none"):
        assert app.code(app.sends(alice, id_token_hint=hint, prompt=prompt))


def test_hint_for_another_account_is_login_required_with_prompt_none(
    app: RelyingParty, alice: Browser, hint: str
) -> None:
    alice.signs_in(BOB, username="bob", prompt="select_account")
    app.code(allows(app.sends(alice)))

    page = app.sends(alice, id_token_hint=hint, prompt="none")

    assert app.error(page) == "login_required"


def test_hint_for_another_account_prefills_and_takes_no_other(
    app: RelyingParty, alice: Browser, hint: str, world: World
) -> None:
    alice.signs_in(BOB, username="bob", prompt="select_account")

    page = app.sends(alice, id_token_hint=hint)
    assert is_sign_in(page)
    assert page.form_with("identifier").fields["identifier"] == world.alice.did

    assert app.error(page.types(BOB).approves()) == "login_required"
    again = app.sends(alice, id_token_hint=hint)
    assert app.code(again.types(ALICE).approves())


def test_id_token_of_another_client_is_no_hint(
    alice: Browser, hint: str, service: Service
) -> None:
    other = RelyingParty.registered(service, name="other")

    page = other.sends(alice, id_token_hint=hint)

    assert other.error(page) == "invalid_request"


def test_platform_and_access_token_are_no_hint(
    app: RelyingParty, alice: Browser
) -> None:
    cookie = alice.jar.get("platform_token")
    tokens = app.tokens(app.code(allows(app.sends(alice))))

    for token in (cookie.value if cookie else "", tokens["access_token"]):
        assert app.error(app.sends(alice, id_token_hint=token)) == "invalid_request"


def test_pushed_hint_is_read_at_the_push(
    app: RelyingParty, alice: Browser, hint: str
) -> None:
    request_uri = app.pushes(id_token_hint=hint)

    assert app.code(app.sends(alice, request_uri=request_uri))
