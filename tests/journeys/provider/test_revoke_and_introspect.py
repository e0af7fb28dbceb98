"""Revocation and introspection: a client's own tokens, and no others (P23)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.flows.sessions.rotation import first_token
from tests.fakes.browser import Browser
from tests.journeys.people.commands import events
from tests.journeys.provider.back_channel import App, answered, error_of
from tests.service import HOME, Service, database_of
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable

ALICE = "alice.skyhost.social"


@pytest.fixture
def app(browser: Browser, service: Service) -> App:
    signs_in(service, browser, ALICE, username="alice")
    return App.added(service)


@pytest.fixture
def other(app: App, service: Service) -> App:
    return App.added(service, name="other")


# --- revocation -----------------------------------------------------------------------


@pytest.mark.parametrize("hint", [None, "refresh_token", "access_token", "unknown"])
def test_revoked_refresh_token_ends_all_tokens_of_its_grant(
    app: App, service: Service, hint: str | None
) -> None:
    tokens, another = app.signs_in(), app.signs_in()
    assert app.userinfo(tokens["access_token"]).status == 200

    answer = app.revokes(tokens["refresh_token"], token_type_hint=hint)

    assert (answer.status, answer.body) == (200, b"")
    assert app.refreshes(tokens["refresh_token"]).status == 400
    assert app.userinfo(tokens["access_token"]).status == 401
    assert app.userinfo(another["access_token"]).status == 200
    [(_, detail)] = events(service, "grant_ended")
    assert (detail["client"], detail["reason"]) == ("app", "revoked by the app")


def test_revoked_access_token_ends_alone(app: App) -> None:
    tokens = app.signs_in()
    assert app.userinfo(tokens["access_token"]).status == 200

    assert app.revokes(tokens["access_token"]).status == 200

    assert app.userinfo(tokens["access_token"]).status == 401
    assert app.refreshes(tokens["refresh_token"]).status == 200


def test_token_of_another_client_is_not_revoked(app: App, other: App) -> None:
    tokens = app.signs_in()

    for token in (tokens["access_token"], tokens["refresh_token"], "unknown", "ä"):
        assert other.revokes(token).status == 200

    assert app.userinfo(tokens["access_token"]).status == 200
    assert app.refreshes(tokens["refresh_token"]).status == 200


def test_revocation_needs_its_client(app: App, service: Service) -> None:
    token = app.signs_in()["refresh_token"]

    answer = app.revokes(token, auth=False, client_id="app")
    assert error_of(answer) == (401, "invalid_client")
    assert error_of(app.posts("/oauth/revoke")) == (400, "invalid_request")
    desk = App.added(service, "--public", name="desk")
    at_desk = desk.signs_in()
    assert desk.revokes(at_desk["refresh_token"]).status == 200
    assert desk.refreshes(at_desk["refresh_token"]).status == 400
    assert app.refreshes(token).status == 200


def test_unknown_tokens_of_a_public_client_are_limited_and_write_nothing(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(rate_limit_client_failures_per_address="3/minute")
    signs_in(service, service.browser(), ALICE, username="alice")
    desk, app = App.added(service, "--public", name="desk"), App.added(service)
    of_desk, unknown = desk.signs_in(), first_token()
    with database_of(service.app).write():  # no other can write now
        assert [desk.revokes(unknown).status for _ in range(3)] == [200] * 3

    assert error_of(desk.revokes(unknown)) == (429, "temporarily_unavailable")
    assert [app.revokes(unknown).status for _ in range(4)] == [200] * 4
    assert desk.revokes(of_desk["refresh_token"]).status == 200
    assert desk.refreshes(of_desk["refresh_token"]).status == 400


# --- introspection --------------------------------------------------------------------


def test_introspection_describes_the_tokens_of_the_caller(
    app: App, service: Service
) -> None:
    now = int(service.world.clock())
    tokens = app.signs_in()
    [(did,)] = service.rows("SELECT did FROM users")

    described = app.introspects(tokens["access_token"])
    assert described == {
        "active": True,
        "iss": HOME,
        "client_id": "app",
        "sub": did,
        "username": "alice",
        "scope": "openid profile",
        "token_type": "Bearer",
        "iat": now,
        "exp": now + 900,
    }
    refresh = app.introspects(tokens["refresh_token"])
    assert (refresh["active"], refresh["scope"]) == (True, "openid profile")
    assert "token_type" not in refresh


def test_replaced_or_expired_token_is_not_active(app: App, service: Service) -> None:
    tokens = app.signs_in()
    answered(app.refreshes(tokens["refresh_token"]))

    assert app.introspects(tokens["refresh_token"]) == {"active": False}
    service.world.clock.advance(900)
    assert app.introspects(tokens["access_token"]) == {"active": False}


def test_token_of_another_client_is_not_active(app: App, other: App) -> None:
    tokens = app.signs_in()

    for token in (tokens["access_token"], tokens["refresh_token"], "unknown"):
        assert other.introspects(token) == {"active": False}


def test_public_client_cannot_introspect(app: App, service: Service) -> None:
    desk = App.added(service, "--public", name="desk")
    token = desk.signs_in()["access_token"]

    answer = desk.posts("/oauth/introspect", token=token)

    assert error_of(answer) == (401, "invalid_client")
    assert error_of(app.posts("/oauth/introspect")) == (400, "invalid_request")
