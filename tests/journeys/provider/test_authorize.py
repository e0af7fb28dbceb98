"""GET and POST /oauth/authorize: from an app through sign-in and consent, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.page import Page
from tests.fakes.relying_party import RelyingParty, allows
from tests.journeys.people.commands import events
from tests.signed import signs_in

if TYPE_CHECKING:
    from tests.fakes.browser import Browser
    from tests.service import Service

ALICE = "alice.skyhost.social"


@pytest.fixture
def app(alice: Browser, service: Service) -> RelyingParty:
    return RelyingParty.registered(service)


@pytest.fixture
def alice(service: Service) -> Browser:
    """Alice, signed in."""
    return signs_in(service, service.browser(), ALICE, username="alice")


def test_person_who_is_signed_in_consents_once(
    app: RelyingParty, alice: Browser, service: Service
) -> None:
    page = app.sends(alice)
    assert page.url.startswith(f"{service.home}/oauth/consent?request=")
    for fact in ("app", "alice", ALICE, "app.example.org"):
        assert fact in page.text

    assert len(app.code(allows(page))) == 43

    assert app.code(app.sends(alice))
    [(did, detail)] = events(service, "app_allowed")
    assert detail == {"client": "app", "scope": "openid profile"}
    grants = service.rows("SELECT did, client_id, scope FROM provider_grants")
    assert grants == [(did, "app", "openid profile")] * 2


def test_member_signs_in_and_comes_back_to_the_request(
    app: RelyingParty, service: Service
) -> None:
    browser = service.browser()

    page = app.sends(browser, state="s" * 2_000)
    assert page.url.startswith(f"{service.home}/auth/login?")
    consent = page.types(ALICE).approves()

    answer = app.receives(allows(consent), state="s" * 2_000)
    assert "code" in answer


def test_newcomer_signs_up_and_comes_back_to_the_request(service: Service) -> None:
    app = RelyingParty.registered(service)

    page = app.sends(service.browser())
    consent = page.types(ALICE).approves().chooses("alice")

    assert app.code(allows(consent))


def test_request_by_post_goes_on_by_get(app: RelyingParty, alice: Browser) -> None:
    page = app.posts(alice)

    assert isinstance(page, Page)
    assert app.code(allows(page))
    assert app.code(app.posts(alice))


def test_denial_is_told_to_the_app(app: RelyingParty, alice: Browser) -> None:
    page = app.sends(alice).presses(decision="deny")

    assert app.error(page) == "access_denied"
