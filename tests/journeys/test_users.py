"""GET /auth/users: accounts of the platform, for its services and signed-in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.flows.people.lookup import LONGEST, MOST
from tests.fakes.browser import Browser
from tests.service import Service
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.network import Answer
    from tests.fakes.world import World

ALICE, BOB = "alice.skyhost.social", "bob.skyhost.social"
APP = "https://app.platform.cafe"


@pytest.fixture
def alice(browser: Browser, service: Service) -> Browser:
    signs_in(service, browser, ALICE, username="alice")
    return browser


@pytest.fixture
def bob(service: Service) -> Browser:
    return signs_in(service, service.browser(), BOB, username="bob")


def asks(browser: Browser, path: str, **headers: str) -> Answer:
    sent = {"Accept": "application/json", "Origin": APP, **headers}
    url = f"{browser.home}/auth/users{path}"
    return browser.requests("GET", url, site="same-site", headers=sent)


@pytest.mark.parametrize("who", ["bob", "BOB", "did"])
def test_account_is_found_by_username_and_by_did(
    alice: Browser, bob: Browser, world: World, who: str
) -> None:
    answer = asks(alice, f"/{world.bob.did if who == 'did' else who}")

    assert answer.status == 200
    found = answer.json()
    since = found.pop("since")
    assert found == {"did": world.bob.did, "username": "bob", "handle": BOB}
    assert since.endswith("Z")
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    assert answer.headers["Cache-Control"] == "private, max-age=60"


def test_unknown_and_disabled_accounts_are_not_found(
    alice: Browser, bob: Browser, service: Service
) -> None:
    service.rows("UPDATE users SET disabled_at = 1 WHERE username = 'bob'")

    for who in ("bob", "carol", "%25", "did:plc:unknown"):
        answer = asks(alice, f"/{who}")
        assert (answer.status, answer.json()["error"]) == (404, "not_found"), who


def test_batch_returns_those_that_exist(
    alice: Browser, bob: Browser, world: World
) -> None:
    answer = asks(alice, f"?id=bob&id=carol&id={world.alice.did}&id=alice")

    assert [user["username"] for user in answer.json()["users"]] == ["alice", "bob"]
    assert asks(alice, "").json() == {"users": []}


def test_batch_of_more_than_a_hundred_is_refused(alice: Browser) -> None:
    query = "&".join(f"id=u{number}" for number in range(MOST + 1))

    answer = asks(alice, f"?{query}")

    assert (answer.status, answer.json()["error"]) == (400, "invalid_request")


def test_look_up_of_a_long_name_is_refused(alice: Browser) -> None:
    answer = asks(alice, f"?id=did:plc:{'a' * LONGEST}")

    assert (answer.status, answer.json()["error"]) == (400, "invalid_request")


def test_lookup_with_a_bearer_token_needs_no_origin(
    alice: Browser, service: Service
) -> None:
    token = alice.jar.get("platform_token")
    assert token is not None

    answer = service.get("/auth/users/alice", Authorization=f"Bearer {token.value}")

    assert answer.json()["username"] == "alice"


def test_lookup_with_an_empty_bearer_token_does_not_fall_back_to_the_cookie(
    alice: Browser,
) -> None:
    assert asks(alice, "/alice", Authorization="Bearer ").status == 401


def test_preflight_of_a_sibling_is_answered(alice: Browser) -> None:
    for path in ("", "/alice"):
        answer = alice.requests(
            "OPTIONS", f"{alice.home}/auth/users{path}", headers={"Origin": APP}
        )
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == APP


def test_lookup_by_strangers_is_refused(
    alice: Browser, browser: Browser, service: Service
) -> None:
    signed_out = service.browser()

    assert asks(signed_out, "/alice").status == 401
    evil = asks(alice, "/alice", Origin="https://evil.cafe")
    assert (evil.status, evil.json()["error"]) == (403, "cross_site")


def test_lookup_is_limited_with_the_calls_of_an_account(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(rate_limit_xrpc_per_session="2/minute")
    browser = signs_in(service, service.browser(), ALICE, username="alice")

    statuses = [asks(browser, "/alice").status for _ in range(3)]

    assert statuses == [200, 200, 429]


def test_users_visible_none_answers_no_lookup(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(users_visible="none")
    browser = signs_in(service, service.browser(), ALICE, username="alice")

    answer = asks(browser, "/alice")

    assert (answer.status, answer.json()["error"]) == (403, "call_not_allowed")
