"""The claim `email` of `--email account`: asked, consented to, forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.page import Page
from tests.fakes.relying_party import RelyingParty, allows
from tests.journeys.people.commands import prints
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.browser import Browser
    from tests.fakes.world import World
    from tests.service import Service

ALICE = "alice.skyhost.social"
PHRASE = "The e-mail address of your account at its host"
OPTIONS = ("--scope", "openid profile email", "--email")


@pytest.fixture
def service(open_service: Callable[..., Service], world: World) -> Service:
    said = {"email": "alice@example.org", "emailConfirmed": True}
    world.skyhost.pds.emails[str(world.alice.did)] = said
    return open_service(
        scope="atproto account:email",
        email_trusted_hosts=world.skyhost.pds.origin.removeprefix("https://"),
        email_domain="people.test",
    )


def claims(app: RelyingParty, browser: Browser) -> dict[str, Any]:
    return app.checks(app.tokens(app.code(allows(app.sends(browser))))["id_token"])


def signed_in(service: Service) -> Browser:
    return signs_in(service, service.browser(), ALICE, username="alice")


def test_app_is_told_the_address_after_consent(service: Service) -> None:
    app = RelyingParty.registered(
        service, *OPTIONS, "account", scope="openid profile email"
    )
    browser = signed_in(service)
    page = app.sends(browser)
    assert isinstance(page, Page)
    assert PHRASE in page.text

    told = claims(app, browser)

    assert (told["email"], told["email_verified"]) == ("alice@example.org", True)
    [detail] = prints(service, "clients", "claims", "app", "alice")
    assert detail["claims"]["email"] == "alice@example.org"


def test_app_that_was_not_allowed_the_scope_is_not_told(service: Service) -> None:
    app = RelyingParty.registered(service, *OPTIONS, "account", scope="openid profile")
    browser = signed_in(service)

    assert claims(app, browser).keys() & {"email", "email_verified"} == set()


def test_address_is_not_read_where_no_client_is_told(service: Service) -> None:
    RelyingParty.registered(service, *OPTIONS, "placeholder")
    signed_in(service)

    assert service.rows("SELECT email FROM users") == [(None,)]


def test_client_that_changes_to_the_address_asks_again(service: Service) -> None:
    RelyingParty.registered(service, *OPTIONS, "account", name="other")
    app = RelyingParty.registered(
        service, *OPTIONS, "placeholder", scope="openid profile email"
    )
    browser = signed_in(service)
    assert claims(app, browser)["email"].endswith("@people.test")
    waiting = app.sends(browser, prompt="consent")

    prints(service, "clients", "edit", "app", "--email", "account")

    assert service.rows("SELECT grant_id FROM provider_grants") == []
    assert allows(waiting).error == "request_expired"
    page = app.sends(browser)
    assert PHRASE in page.text
    assert app.tokens(app.code(allows(page)))
    prints(service, "clients", "edit", "app", "--email", "account")
    assert app.code(app.sends(browser))
