"""id_token_hint of a request: an id_token that this app got (P12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jwt
import pytest

from tests.fakes.relying_party import RelyingParty, allows
from tests.journeys.people.commands import runs

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


@pytest.fixture
def lost(hint: str, service: Service, world: World) -> str:
    """Alice's id_token, whose key has left the ring since."""
    runs(service, "keys", "rotate", "platform", "--alg", "RS256", "--now", "--yes")
    kid = jwt.get_unverified_header(hint)["kid"]
    runs(service, "keys", "drop", "platform", kid, "--yes")
    world.clock.advance(10)  # in which each node notices it
    return hint


def test_hint_of_a_key_that_is_gone_counts_as_none(
    app: RelyingParty, alice: Browser, lost: str, service: Service
) -> None:
    assert app.code(app.sends(alice, id_token_hint=lost))

    page = app.sends(service.browser(), id_token_hint=lost, login_hint=BOB)
    assert is_sign_in(page)
    assert page.form_with("identifier").fields["identifier"] == BOB


@pytest.mark.parametrize("how", ["GET", "POST", "pushed"])
def test_hint_of_a_key_that_is_gone_is_login_required_with_prompt_none(
    app: RelyingParty, alice: Browser, lost: str, *, how: str
) -> None:
    asked = {"id_token_hint": lost, "prompt": "none"}
    if how == "POST":
        page = app.posts(alice, **asked)
    elif how == "pushed":
        page = app.sends(alice, request_uri=app.pushes(**asked))
    else:
        page = app.sends(alice, **asked)

    assert app.error(page) == "login_required"
    assert app.code(app.sends(alice, prompt="none"))


def test_hint_of_a_known_key_with_a_wrong_signature_is_no_hint(
    app: RelyingParty, alice: Browser, hint: str
) -> None:
    forged = hint[:-4] + ("AAAA" if hint[-4:] != "AAAA" else "BBBB")

    for prompt in ("", "none"):
        page = app.sends(alice, id_token_hint=forged, prompt=prompt)
        assert app.error(page) == "invalid_request"


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
