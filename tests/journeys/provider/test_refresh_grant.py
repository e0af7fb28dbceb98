"""Refresh: rotation with a grace of a minute, and everything read anew (part 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.browser import Browser
from tests.journeys.people.commands import events, runs
from tests.journeys.provider.back_channel import App, answered, error_of
from tests.service import Service
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable

ALICE = "alice.skyhost.social"
GRACE, DAY = 60, 86_400
OFFLINE = "openid profile groups offline_access"
REFUSED = (400, "invalid_grant")


@pytest.fixture
def app(browser: Browser, service: Service) -> App:
    signs_in(service, browser, ALICE, username="alice")
    return App.added(service)


def test_refresh_brings_new_tokens_and_rotates(app: App, service: Service) -> None:
    first = app.signs_in(scope=OFFLINE)
    service.world.clock.advance(DAY)
    second = answered(app.refreshes(first["refresh_token"]))

    for name in ("access_token", "refresh_token", "id_token"):
        assert second[name] != first[name]
    assert second["scope"] == OFFLINE
    assert app.userinfo(second["access_token"]).status == 200
    assert app.refreshes(second["refresh_token"]).status == 200


def test_refreshed_id_token_keeps_issuer_subject_audience_and_auth_time(
    app: App, service: Service
) -> None:
    """P16; without a nonce (OpenID Connect Core section 12.2)."""
    first = app.signs_in(scope=OFFLINE)
    service.world.clock.advance(DAY)
    before, after = (
        app.opens(first["id_token"]),
        app.opens(answered(app.refreshes(first["refresh_token"]))["id_token"]),
    )

    for name in ("iss", "sub", "aud", "auth_time", "sid"):
        assert after[name] == before[name]
    assert after["iat"] == before["iat"] + DAY
    assert "nonce" not in after


def test_retries_within_the_grace_get_the_same_successor(
    app: App, service: Service
) -> None:
    first = app.signs_in()["refresh_token"]
    second = answered(app.refreshes(first))["refresh_token"]
    service.world.clock.advance(GRACE)

    again = [answered(app.refreshes(first))["refresh_token"] for _ in range(16)]
    assert set(again) == {second}


@pytest.mark.parametrize("is_late", [True, False])
def test_reuse_after_the_grace_or_after_the_successor_ends_the_grant(
    app: App, service: Service, *, is_late: bool
) -> None:
    tokens = app.signs_in()
    second = answered(app.refreshes(tokens["refresh_token"]))
    if is_late:
        service.world.clock.advance(GRACE + 1)
        newest = second["refresh_token"]
    else:
        newest = answered(app.refreshes(second["refresh_token"]))["refresh_token"]

    assert error_of(app.refreshes(tokens["refresh_token"])) == REFUSED

    assert error_of(app.refreshes(newest)) == REFUSED
    service.world.clock.advance(5)
    assert app.userinfo(second["access_token"]).status == 401
    [(_, detail)] = events(service, "grant_ended")
    assert (detail["client"], detail["reason"]) == ("app", "refresh token reused")


def test_token_of_another_client_is_refused_for_that_client_alone(
    app: App, service: Service
) -> None:
    other = App.added(service, name="other")
    desk = App.added(service, "--public", name="desk")
    token = app.signs_in()["refresh_token"]

    assert error_of(other.refreshes(token)) == REFUSED
    assert error_of(desk.refreshes(token)) == REFUSED
    assert app.refreshes(token).status == 200


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ("openid", "openid"),
        ("profile openid", "openid profile"),
        ("openid groups", None),
        ("openid  unknown", None),
        ("openid\tprofile", None),
    ],
)
def test_refresh_narrows_the_scope_and_never_widens_it(
    app: App, asked: str, granted: str | None
) -> None:
    token = app.signs_in(scope="openid profile")["refresh_token"]
    answer = app.refreshes(token, scope=asked)

    if granted is None:
        assert error_of(answer) == (400, "invalid_scope")
        assert app.refreshes(token).status == 200
        return
    tokens = answered(answer)
    assert tokens["scope"] == granted
    # The refresh token keeps the whole scope (RFC 6749 section 6).
    whole = answered(app.refreshes(tokens["refresh_token"]))
    assert whole["scope"] == "openid profile"


@pytest.mark.parametrize(
    "token", ["", "x", "x" * 4_096, f"{'a' * 22}.{'b' * 43}", "ä", "\x00"]
)
def test_what_is_no_refresh_token_is_refused(app: App, token: str) -> None:
    code = "invalid_request" if not token else "invalid_grant"

    assert error_of(app.refreshes(token)) == (400, code)


@pytest.mark.parametrize(
    "lost",
    [
        ("clients", "edit", "app", "--allow", "group:staff"),
        ("clients", "disable", "app", "--yes"),
        ("users", "disable", "alice", "--yes"),
    ],
)
def test_lost_policy_client_or_account_refuses_the_next_refresh(
    app: App, service: Service, lost: tuple[str, ...]
) -> None:
    token = app.signs_in(scope=OFFLINE)["refresh_token"]

    assert runs(service, *lost, "--reason", "test").exit_code == 0
    assert error_of(app.refreshes(token)) == REFUSED


def test_policy_that_is_given_back_lets_the_same_grant_go_on(
    app: App, service: Service
) -> None:
    token = app.signs_in(scope=OFFLINE)["refresh_token"]
    runs(service, "clients", "edit", "app", "--allow", "group:staff")
    assert error_of(app.refreshes(token)) == REFUSED

    runs(service, "groups", "add", "staff", "alice")

    assert app.refreshes(token).status == 200


def test_grant_without_offline_access_ends_with_its_session(
    app: App, service: Service, browser: Browser
) -> None:
    bound, offline = app.signs_in(), app.signs_in(scope=OFFLINE)
    service.rows("UPDATE sessions SET ended_at = ?", int(service.world.clock()))

    assert error_of(app.refreshes(bound["refresh_token"])) == REFUSED
    assert app.refreshes(offline["refresh_token"]).status == 200


def test_offline_grant_ends_when_it_is_not_used(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(grant_idle=10 * DAY, grant_lifetime=25 * DAY)
    signs_in(service, service.browser(), ALICE, username="alice")
    app = App.added(service)
    token = app.signs_in(scope=OFFLINE)["refresh_token"]
    for _ in range(2):
        service.world.clock.advance(9 * DAY)
        token = answered(app.refreshes(token))["refresh_token"]
    service.world.clock.advance(7 * DAY)

    assert error_of(app.refreshes(token)) == REFUSED


def test_groups_and_username_are_read_anew(app: App, service: Service) -> None:
    token = app.signs_in(scope=OFFLINE)["refresh_token"]
    runs(service, "groups", "add", "staff", "alice")
    service.rows("UPDATE users SET username = 'alicia'")

    claims = app.opens(answered(app.refreshes(token))["id_token"])
    assert (claims["groups"], claims["preferred_username"]) == (["staff"], "alicia")


def test_access_tokens_of_a_grant_are_bounded(app: App, service: Service) -> None:
    tokens = app.signs_in()
    token = tokens["refresh_token"]
    for _ in range(40):
        app.refreshes(token)

    [(count,)] = service.rows("SELECT COUNT(*) FROM provider_tokens")
    assert count == 32
