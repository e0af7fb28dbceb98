"""Userinfo: claims by scope, challenges of RFC 6750, and what closes it (P22)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.factory.web import create_app
from tests.fakes import faults
from tests.fakes.browser import Browser
from tests.journeys.people.commands import runs
from tests.journeys.provider.back_channel import (
    FORM,
    App,
    answered,
    basic,
    error_of,
    posts,
)
from tests.service import HOME, Service, close, outside_of
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask

    from tests.fakes.network import Answer
    from tests.fakes.world import World

ALICE = "alice.skyhost.social"
WELL_KNOWN = f"https://{ALICE}/.well-known/atproto-did"
SECONDS = 10


@pytest.fixture
def app(browser: Browser, service: Service) -> App:
    signs_in(service, browser, ALICE, username="alice")
    return App.added(service)


def challenge(answer: Answer) -> str:
    return str(answer.headers["WWW-Authenticate"])


@pytest.mark.parametrize(
    ("scope", "claims"),
    [
        ("openid", {"sub"}),
        (
            "openid profile",
            {
                "sub",
                "preferred_username",
                "name",
                "updated_at",
                "handle",
                "handle_verified_at",
            },
        ),
        ("openid groups", {"sub", "groups"}),
        ("openid offline_access", {"sub"}),
    ],
)
def test_claims_are_those_of_the_scope(app: App, scope: str, claims: set[str]) -> None:
    answer = app.userinfo(app.signs_in(scope=scope)["access_token"])

    assert set(answered(answer)) == claims
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "no-store" in answer.headers["Cache-Control"]


def test_groups_are_read_anew(app: App, service: Service) -> None:
    token = app.signs_in(scope="openid groups")["access_token"]
    assert answered(app.userinfo(token))["groups"] == []
    runs(service, "groups", "add", "staff", "alice")
    service.world.clock.advance(SECONDS)

    assert answered(app.userinfo(token))["groups"] == ["staff"]


def test_token_comes_by_header_or_form(app: App, service: Service) -> None:
    token = app.signs_in()["access_token"]
    form = {"Content-Type": FORM}

    by_form = posts(service, "/oauth/userinfo", f"access_token={token}", form)
    by_header = posts(
        service, "/oauth/userinfo", "", {"Authorization": f"Bearer {token}"}
    )
    assert by_form.json() == by_header.json() == app.userinfo(token).json()
    both = {**form, "Authorization": f"Bearer {token}"}
    answer = posts(service, "/oauth/userinfo", f"access_token={token}", both)
    assert answer.status == 400
    assert 'error="invalid_request"' in challenge(answer)


def test_token_in_the_url_or_in_json_is_no_token(app: App, service: Service) -> None:
    token = app.signs_in()["access_token"]
    json = {"Content-Type": "application/json"}
    body = f'{{"access_token": "{token}"}}'

    for answer in (
        service.get(f"/oauth/userinfo?access_token={token}"),
        posts(service, f"/oauth/userinfo?access_token={token}", "", {}),
        posts(service, "/oauth/userinfo", body, json),
    ):
        assert answer.status == 401
        assert challenge(answer) == 'Bearer realm="platform"'


@pytest.mark.parametrize("header", ["Bearer x", "Bearer \xff", "Bearer", "Basic eDp5"])
def test_bad_token_is_challenged(app: App, service: Service, header: str) -> None:
    answer = service.get("/oauth/userinfo", Authorization=header)

    assert answer.status == 401
    has_token = header not in {"Bearer", "Basic eDp5"}
    assert ('error="invalid_token"' in challenge(answer)) is has_token


def test_token_without_openid_is_403(app: App) -> None:
    answer = app.userinfo(app.signs_in(scope="profile")["access_token"])

    assert answer.status == 403
    assert 'error="insufficient_scope"' in challenge(answer)
    assert 'scope="openid"' in challenge(answer)


def test_token_ends_after_its_lifetime(app: App, service: Service) -> None:
    token = app.signs_in()["access_token"]
    service.world.clock.advance(900)

    assert app.userinfo(token).status == 401


@pytest.mark.parametrize(
    "lost",
    [
        ("clients", "disable", "app", "--yes"),
        ("clients", "edit", "app", "--allow", "group:staff"),
        ("clients", "remove", "app", "--yes"),
        ("users", "disable", "alice", "--yes"),
        ("sessions", "end", "--of", "alice", "--yes"),
    ],
)
def test_userinfo_and_introspection_close_within_ten_seconds(
    app: App, service: Service, lost: tuple[str, ...]
) -> None:
    other = App.added(service, name="other")
    token = app.signs_in()["access_token"]
    assert app.userinfo(token).status == 200

    result = runs(service, *lost, "--reason", "test")
    assert result.exit_code == 0, result.output
    service.world.clock.advance(SECONDS)

    assert app.userinfo(token).status == 401
    answer = app.posts("/oauth/introspect", token=token)
    assert answer.status == 401 or answer.json() == {"active": False}
    assert other.introspects(token) == {"active": False}


@pytest.fixture
def other_node(service: Service, world: World) -> Iterator[Flask]:
    """A second process on the same database."""
    outside = outside_of(world, service.settings)
    other = create_app(service.settings, outside=outside)
    yield other
    close(other)


@pytest.mark.parametrize(
    "lost",
    [
        ("groups", "remove", "staff", "alice"),
        ("clients", "edit", "app", "--allow", "group:other"),
        ("users", "disable", "alice", "--yes"),
        None,
    ],
    ids=["group", "policy", "disabled", "removed"],
)
def test_another_node_closes_within_ten_seconds(
    browser: Browser, app: App, service: Service, other_node: Flask, lost: Any
) -> None:
    """It has answered a moment ago, and hears of the change by the database alone."""
    runs(service, "groups", "add", "staff", "alice")
    runs(service, "clients", "edit", "app", "--allow", "group:staff")
    token = app.signs_in()["access_token"]
    client = other_node.test_client()

    def status() -> int:
        bearer = {"Authorization": f"Bearer {token}"}
        return client.get("/oauth/userinfo", headers=bearer).status_code

    assert status() == 200
    if lost is None:
        browser.visits("/auth/account").presses(client="app")
    else:
        assert runs(service, *lost, "--reason", "test").exit_code == 0
    service.world.clock.advance(SECONDS)

    assert status() == 401
    body = {"token": token}
    answer = client.post(
        "/oauth/introspect",
        data=body,
        headers={"Authorization": basic("app", str(app.secret))},
    )
    assert answer.json == {"active": False}


def test_policy_that_cannot_be_judged_is_503_and_lets_no_account_in(
    app: App, service: Service, world: World
) -> None:
    """P32: the handle decides, is old, and its host does not answer."""
    runs(service, "clients", "edit", "app", "--allow", "*.skyhost.social")
    tokens = app.signs_in(scope="openid offline_access")
    code = app.code()
    world.clock.advance(50)
    service.rows("UPDATE users SET handle_checked_at = 1")
    world.network.lay(WELL_KNOWN, faults.Refuses())

    unavailable = (503, "temporarily_unavailable")
    refresh = tokens["refresh_token"]
    assert error_of(app.redeems(code)) == unavailable
    assert error_of(app.refreshes(refresh)) == unavailable
    assert error_of(app.userinfo(tokens["access_token"])) == unavailable
    asked = app.posts("/oauth/introspect", token=refresh)
    assert error_of(asked) == unavailable
    world.network.mend()
    world.clock.advance(300)
    assert app.refreshes(refresh).status == 200


def test_cookies_are_neither_read_nor_set(app: App, service: Service) -> None:
    answer = service.browser().requests("GET", f"{HOME}/oauth/userinfo")

    assert answer.status == 401
    assert "Set-Cookie" not in answer.headers
