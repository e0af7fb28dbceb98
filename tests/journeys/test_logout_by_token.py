"""DELETE /auth/session: an app, which holds nothing but its token, signs out
(requirement 7.19).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from app.flows.xrpc.allow_list import XrpcAllowList
from tests.fakes import faults
from tests.fakes.app import App, let_in
from tests.fakes.browser import Browser
from tests.fakes.network import Answer, FakeNetwork
from tests.fakes.world import World
from tests.journeys.calling import ALICE, ALLOW, GET_SESSION, SCOPE
from tests.service import HOME, Service
from tests.signed import signs_in

REVOKE = "https://as.skyhost.social/oauth/revoke"
SESSION = "/auth/session"
TAKES_TOKENS = [SESSION, "/auth/verify", f"/auth/xrpc/{GET_SESSION}"]


@pytest.fixture
def service(open_service: Callable[..., Service]) -> Service:
    return open_service(scope=SCOPE, xrpc_allow=XrpcAllowList.parse(ALLOW))


@pytest.fixture
def alice(service: Service) -> Browser:
    """Alice, in a browser where she stays signed in."""
    browser = service.browser()
    return signs_in(service, browser, ALICE, username="alice")


@pytest.fixture
def app(alice: Browser, service: Service) -> App:
    """An app of Alice's that was let in."""
    return let_in(service, ALICE)


@pytest.fixture
def token(app: App) -> str:
    return app.token()


def signs_out(app: App, token: str | None) -> Answer:
    given = {} if token is None else {"Authorization": f"Bearer {token}"}
    return app.requests("DELETE", SESSION, given)


def refusal(answer: Answer) -> tuple[int, str]:
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="platform"'
    return answer.status, answer.json()["error"]


@pytest.mark.parametrize("path", TAKES_TOKENS)
def test_a_token_is_refused_everywhere_once_its_app_has_signed_out(
    app: App, token: str, world: World, path: str
) -> None:
    assert app.uses(token, path).status == 200

    answer = signs_out(app, token)
    world.clock.advance(5)

    assert (answer.status, answer.body) == (204, b"")
    assert refusal(app.uses(token, path)) == (401, "not_signed_in")


def test_the_host_is_asked_to_revoke_the_grant_of_that_session_alone(
    app: App, token: str, alice: Browser, world: World
) -> None:
    grants = world.skyhost.server.grants
    browsers, apps = grants.alive(world.alice.did)

    signs_out(app, token)

    assert grants.alive(world.alice.did) == [browsers]
    with pytest.raises(Exception, match="Invalid refresh token"):
        grants.of_refresh_token(apps.refresh_token)
    assert alice.visits(SESSION).status == 200


def test_another_app_of_the_person_stays_signed_in(
    app: App, token: str, service: Service
) -> None:
    other = let_in(service, ALICE)
    theirs = other.token()

    signs_out(app, token)

    assert other.uses(theirs).status == 200


@pytest.mark.parametrize(
    "fault",
    [faults.Refuses(), faults.DropsAnswer(), faults.bad_gateway(), faults.too_many()],
    ids=str,
)
def test_a_host_that_is_down_changes_nothing(
    app: App, token: str, network: FakeNetwork, fault: Any
) -> None:
    network.lay(REVOKE, fault)

    assert signs_out(app, token).status == 204
    assert app.uses(token).status == 401
    assert len(network.sent(path="/oauth/revoke")) >= 1


def test_an_app_waits_no_longer_for_a_slow_host_than_a_browser(
    app: App, token: str, network: FakeNetwork, world: World
) -> None:
    network.lay(REVOKE, faults.Waits(world.clock, 600))
    began = world.clock.monotonic()

    assert signs_out(app, token).status == 204
    assert world.clock.monotonic() - began <= 15


def test_second_token_logout_returns_not_signed_in(
    app: App, token: str, network: FakeNetwork
) -> None:
    signs_out(app, token)
    network.forget()

    assert refusal(signs_out(app, token)) == (401, "not_signed_in")
    assert network.sent(path="/oauth/revoke") == []


@pytest.mark.parametrize("given", [None, "", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
def test_token_logout_with_an_invalid_token_ends_no_session(
    app: App, token: str, given: str | None
) -> None:
    assert refusal(signs_out(app, given)) == (401, "not_signed_in")
    assert app.uses(token).status == 200


def test_token_logout_with_an_expired_token_ends_no_session(
    app: App, token: str, world: World, service: Service
) -> None:
    world.clock.advance(service.settings.token_lifetime + 1)

    assert refusal(signs_out(app, token)) == (401, "not_signed_in")


def test_token_logout_with_another_subject_ends_no_session(
    app: App, token: str, service: Service, world: World
) -> None:
    service.rows("UPDATE sessions SET did = ?", world.bob.did)

    assert refusal(signs_out(app, token)) == (401, "not_signed_in")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer"}], ids=str)
def test_token_logout_with_a_cookie_alone_ends_no_session(
    alice: Browser, headers: dict[str, str]
) -> None:
    """It comes along by itself: a browser signs out at /auth/logout."""
    answer = alice.requests(
        "DELETE", HOME + SESSION, site="same-origin", headers=headers
    )

    assert refusal(answer) == (401, "not_signed_in")
    assert alice.visits(SESSION).status == 200


def test_the_token_that_is_named_counts_and_not_the_cookie(
    alice: Browser, token: str, app: App
) -> None:
    given = {"Authorization": f"Bearer {token}"}
    alice.requests("DELETE", HOME + SESSION, site="same-origin", headers=given)

    assert app.uses(token).status == 401
    assert alice.visits(SESSION).status == 200


def test_token_logout_preflight_allows_no_delete(app: App, token: str) -> None:
    """A browser that asks first is told of other methods alone, and sends nothing."""
    asking = {
        "Origin": "https://music.platform.cafe",
        "Access-Control-Request-Method": "DELETE",
        "Access-Control-Request-Headers": "authorization",
    }

    answer = app.requests("OPTIONS", SESSION, asking)

    assert answer.headers["Access-Control-Allow-Methods"] == "GET, POST"


def test_token_logout_of_a_disabled_account_ends_its_session(
    app: App, token: str, service: Service, world: World
) -> None:
    service.rows("UPDATE users SET disabled_at = 1")

    assert signs_out(app, token).status == 204
    assert len(world.skyhost.server.grants.alive(world.alice.did)) == 1


def test_a_sign_out_is_audited_with_its_reason(
    app: App, token: str, service: Service, world: World
) -> None:
    sid = app.uses(token).json()["session_id"]

    signs_out(app, token)

    [(did, detail)] = service.rows(
        "SELECT did, detail FROM audit_events WHERE event = 'session_ended'"
        " AND sid = ?",
        sid,
    )
    assert did == world.alice.did
    assert json.loads(detail) == {"reason": "logout by token"}


def test_repeated_invalid_tokens_return_too_many_requests(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(rate_limit_failed_tokens_per_address="2/minute")
    signs_in(service, service.browser(), ALICE, username="alice")
    app = let_in(service, ALICE)
    token = app.token()

    guesses = [signs_out(app, "guess").status for _ in range(3)]

    assert guesses == [401, 401, 429]
    assert signs_out(app, token).status == 204
