"""/auth/verify renews the cookie of a session that goes on, and nothing else."""

from __future__ import annotations

from http.cookies import SimpleCookie

import pytest

from tests.fakes.browser import Browser
from tests.fakes.network import Answer
from tests.fakes.world import World
from tests.service import Service
from tests.signed import signs_in

ALICE = "alice.skyhost.social"
HALF_A_DAY = 12 * 3600


@pytest.fixture
def alice(browser: Browser, service: Service) -> Browser:
    return signs_in(service, browser, ALICE, username="alice")


def token_of(browser: Browser) -> str:
    cookie = browser.jar.get("platform_token")
    assert cookie is not None
    return str(cookie.value)


def asks(service: Service, token: str, **headers: str) -> Answer:
    return service.get("/auth/verify", Cookie=f"platform_token={token}", **headers)


def test_token_past_half_its_life_is_renewed_on_the_200(
    alice: Browser, service: Service, world: World
) -> None:
    token = token_of(alice)
    world.clock.advance(HALF_A_DAY - 1)
    assert "Set-Cookie" not in asks(service, token).headers

    world.clock.advance(1)
    answer = asks(service, token)

    assert answer.status == 200
    cookie = SimpleCookie(answer.headers["Set-Cookie"])["platform_token"]
    assert (cookie["domain"], cookie["path"]) == ("platform.cafe", "/")
    assert cookie["secure"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    world.clock.advance(HALF_A_DAY)
    assert asks(service, token).status == 401
    assert asks(service, cookie.value).status == 200


def test_requests_at_once_get_tokens_that_are_all_valid(
    alice: Browser, service: Service, world: World
) -> None:
    token = token_of(alice)
    world.clock.advance(HALF_A_DAY)
    answers = [asks(service, token) for _ in range(3)]

    fresh = {
        SimpleCookie(answer.headers["Set-Cookie"])["platform_token"].value
        for answer in answers
    }

    assert all(asks(service, one).status == 200 for one in fresh)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-Method": "HEAD"},
        {"Sec-Purpose": "prefetch"},
        {"Purpose": "prefetch"},
    ],
    ids=str,
)
def test_speculative_and_head_requests_are_not_renewed(
    alice: Browser, service: Service, world: World, headers: dict[str, str]
) -> None:
    token = token_of(alice)
    world.clock.advance(HALF_A_DAY)

    answer = asks(service, token, **headers)

    assert (answer.status, "Set-Cookie" in answer.headers) == (200, False)


def test_bearer_token_is_not_renewed(
    alice: Browser, service: Service, world: World
) -> None:
    token = token_of(alice)
    world.clock.advance(HALF_A_DAY)

    answer = service.get("/auth/verify", Authorization=f"Bearer {token}")

    assert (answer.status, "Set-Cookie" in answer.headers) == (200, False)


def test_cookie_behind_a_foreign_bearer_is_renewed(
    alice: Browser, service: Service, world: World
) -> None:
    token = token_of(alice)
    world.clock.advance(HALF_A_DAY)

    assert "Set-Cookie" in asks(service, token, Authorization="Bearer theirs").headers


def test_session_of_an_app_is_not_renewed_by_a_cookie(
    alice: Browser, service: Service, world: World
) -> None:
    token = token_of(alice)
    service.rows("UPDATE sessions SET app_name = 'Sketch'")
    world.clock.advance(HALF_A_DAY)

    answer = asks(service, token)

    assert (answer.status, "Set-Cookie" in answer.headers) == (200, False)


@pytest.mark.parametrize(
    "ends",
    [
        "UPDATE sessions SET ended_at = 1",
        "UPDATE users SET disabled_at = 1",
        "DELETE FROM users",
        "ALTER TABLE sessions RENAME TO gone",
    ],
)
def test_ended_session_is_not_renewed_while_it_is_remembered(
    alice: Browser, service: Service, world: World, ends: str
) -> None:
    """For five seconds the answer may be 200 still, but no cookie is set."""
    token = token_of(alice)
    world.clock.advance(HALF_A_DAY)
    assert "Set-Cookie" in asks(service, token).headers
    service.rows(ends)

    answer = asks(service, token)

    assert (answer.status, "Set-Cookie" in answer.headers) == (200, False)


def test_answer_may_be_kept_by_nginx_for_less_than_the_rest_of_five_seconds(
    alice: Browser, service: Service, world: World
) -> None:
    token = token_of(alice)
    kept = []
    for _ in range(6):
        kept.append(asks(service, token).headers["X-Accel-Expires"])
        world.clock.advance(1)

    assert kept == ["4", "3", "2", "4", "3", "2"]


def test_answer_that_renews_or_refuses_is_not_kept_by_nginx(
    alice: Browser, service: Service, world: World
) -> None:
    token = token_of(alice)
    refused = service.get(
        "/auth/verify?group=cooks", Cookie=f"platform_token={token}"
    ).headers
    world.clock.advance(HALF_A_DAY)

    assert asks(service, token).headers["X-Accel-Expires"] == "0"
    assert "X-Accel-Expires" not in refused
    assert "X-Accel-Expires" not in asks(service, "x").headers
