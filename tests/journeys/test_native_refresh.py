"""An app goes on without the person: POST /auth/native/refresh, for a month."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes.app import App, let_in
from tests.fakes.browser import Browser
from tests.fakes.network import Answer
from tests.fakes.world import World
from tests.service import Service
from tests.signed import signs_in

ALICE = "alice.skyhost.social"
REFRESH = "/auth/native/refresh"
DAY = 24 * 3600


@pytest.fixture
def alice(service: Service) -> Browser:
    """Alice, in a browser where she stays signed in."""
    return signs_in(service, service.browser(), ALICE, username="alice")


@pytest.fixture
def app(service: Service, alice: Browser) -> App:
    """An app that she let in."""
    return let_in(service, ALICE)


@pytest.fixture
def completed(app: App) -> dict[str, Any]:
    document: dict[str, Any] = app.asks().json()
    app.acknowledges()
    return document


def refreshes(app: App, token: object, **headers: str) -> Answer:
    body = json.dumps({"refresh_token": token}).encode()
    given = {"Content-Type": "application/json", **headers}
    return app.requests("POST", REFRESH, given, body)


def is_refused(answer: Answer) -> bool:
    """Tell whether the refusal has the form of RFC 6749 section 5.2."""
    document = answer.json()
    assert answer.headers["Cache-Control"] == "no-store"
    assert document["error_description"]
    return (answer.status, document["error"]) == (400, "invalid_grant")


def test_refresh_answers_with_a_token_that_is_accepted(
    app: App, completed: dict[str, Any]
) -> None:
    answer = refreshes(app, completed["refresh_token"])

    document = answer.json()
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert app.uses(document["token"]).json()["username"] == "alice"
    assert document["refresh_token"] != completed["refresh_token"]
    rest = {"token", "refresh_token"}
    assert {k: v for k, v in document.items() if k not in rest} == {
        k: v for k, v in completed.items() if k not in rest
    }


def test_app_that_refreshes_each_day_lives_for_a_week_on_one_approval(
    app: App, completed: dict[str, Any], world: World
) -> None:
    for day in range(1, 8):
        world.clock.advance(DAY - 60)
        completed = refreshes(app, completed["refresh_token"]).json()
        assert app.uses(completed["token"]).status == 200
        assert completed["refresh_expires_in"] == 30 * DAY - day * (DAY - 60)


def test_refresh_after_the_session_lifetime_is_refused(
    app: App, completed: dict[str, Any], world: World
) -> None:
    for _ in range(29):
        world.clock.advance(DAY)
        completed = refreshes(app, completed["refresh_token"]).json()
    world.clock.advance(DAY)

    assert is_refused(refreshes(app, completed["refresh_token"]))


def test_lost_answer_of_a_refresh_is_repeated_for_a_minute(
    app: App, completed: dict[str, Any], world: World
) -> None:
    lost = refreshes(app, completed["refresh_token"]).json()
    world.clock.advance(60)

    again = refreshes(app, completed["refresh_token"]).json()

    assert again["refresh_token"] == lost["refresh_token"]
    assert refreshes(app, again["refresh_token"]).status == 200


@pytest.mark.parametrize("seconds", [0, 61])
def test_refresh_with_a_stolen_token_ends_the_session_and_is_audited(
    app: App,
    completed: dict[str, Any],
    world: World,
    service: Service,
    seconds: int,
) -> None:
    good = refreshes(app, completed["refresh_token"]).json()
    if seconds == 0:
        good = refreshes(app, good["refresh_token"]).json()
    world.clock.advance(seconds)

    assert is_refused(refreshes(app, completed["refresh_token"]))

    assert app.uses(good["token"]).status == 401
    assert is_refused(refreshes(app, good["refresh_token"]))
    audited = "SELECT detail FROM audit_events WHERE event = 'session_ended'"
    assert [json.loads(one) for (one,) in service.rows(audited)] == [
        {"reason": "refresh token reused"}
    ]


@pytest.mark.parametrize("how", ["sign_out", "account_page", "disabled"])
def test_refresh_after_the_session_was_ended_is_refused(
    app: App,
    completed: dict[str, Any],
    service: Service,
    alice: Browser,
    how: str,
) -> None:
    if how == "sign_out":
        given = {"Authorization": f"Bearer {completed['token']}"}
        app.requests("DELETE", "/auth/session", given)
    elif how == "account_page":
        sid = app.uses(completed["token"]).json()["session_id"]
        alice.visits("/auth/account").presses(end=sid)
    else:
        service.rows("UPDATE users SET disabled_at = 1")

    assert is_refused(refreshes(app, completed["refresh_token"]))


@pytest.mark.parametrize("body", [b"{}", b'{"refresh_token": 1}', b"[", b""])
def test_refresh_without_a_refresh_token_is_invalid_request(
    app: App, completed: dict[str, Any], body: bytes
) -> None:
    answer = app.requests("POST", REFRESH, {"Content-Type": "application/json"}, body)

    assert (answer.status, answer.json()["error"]) == (400, "invalid_request")


def test_refresh_from_a_web_page_returns_cross_site(
    app: App, completed: dict[str, Any]
) -> None:
    answer = refreshes(app, completed["refresh_token"], Origin="https://evil.example")

    assert answer.status == 403
    assert refreshes(app, completed["refresh_token"]).status == 200


def test_refused_refreshes_of_one_network_are_limited_and_good_ones_are_not(
    app: App, completed: dict[str, Any]
) -> None:
    answers = [refreshes(app, "guess").status for _ in range(61)]

    assert answers == [400] * 60 + [429]
    assert refreshes(app, completed["refresh_token"]).status == 200
