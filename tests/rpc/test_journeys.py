"""Whole sign-ins over gRPC: the app on one side, a person at a browser on the other."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from app.atproto.crypto.proofs import challenge_of
from app.flows.people.signup.admission import SignupRule
from app.wire import latchkey
from app.wire.latchkey import v1
from app.wire.latchkey.v1 import auth_pb2, auth_pb2_grpc
from tests.fakes.app import App as WebApp
from tests.fakes.browser import AtHost, Browser
from tests.fakes.page import Page
from tests.rpc.running import App, metadata_of
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fakes.world import World
    from tests.rpc.running import Running
    from tests.service import Service

ALICE = "alice.skyhost.social"
ROSIE = "rosies.garden"
VERIFIER = "a-verifier-of-at-least-43-characters-for-the-app"
PAGE = Path(__file__).resolve().parents[2] / "docs/grpc.md"


def reaches_host(browser: Browser, link: str) -> AtHost:
    arrived = browser.navigates("GET", link, site="none")
    assert isinstance(arrived, AtHost), arrived.text
    return arrived


def decides(browser: Browser, link: str, decision: str = "allow") -> Page:
    page = reaches_host(browser, link).approves().presses(decision=decision)
    assert isinstance(page, Page)
    return page


def outcomes(events: Iterator[auth_pb2.AwaitLoginResponse]) -> list[str]:
    return [event.WhichOneof("outcome") for event in events]


def completed(app: App, session_id: str) -> auth_pb2.Completed:
    (event,) = app.awaits(session_id)
    assert event.WhichOneof("outcome") == "completed"
    return event.completed


def test_an_app_is_let_in_while_it_waits(
    app: App, alice: Browser, service: Service, world: World
):
    started = app.initiates(
        ALICE, app_name="Sky Desk", code_challenge=challenge_of(VERIFIER)
    )
    events = app.awaits(started.session_id, code_verifier=VERIFIER)
    first = next(events).WhichOneof("outcome")

    decides(alice, started.oauth_url)

    (event,) = events
    told = event.completed
    who = service.get("/auth/session", Authorization=f"Bearer {told.token}").json()
    assert first == "pending"
    assert events.code() == grpc.StatusCode.OK
    assert (told.did, told.handle, told.username) == (world.alice.did, ALICE, "alice")
    assert (who["did"], who["username"]) == (told.did, told.username)
    assert told.expires_in == service.settings.token_lifetime


def test_the_page_shows_the_code_that_the_app_has(app: App, alice: Browser):
    started = app.initiates(ALICE, app_name="Sky Desk")

    page = reaches_host(alice, started.oauth_url).approves()

    assert started.user_code in page.text
    assert "Sky Desk" in page.text


def test_denying_on_our_page_streams_denied(app: App, alice: Browser):
    started = app.initiates(ALICE)

    decides(alice, started.oauth_url, "deny")

    assert app.is_told(started.session_id) == ["denied"]


def test_denying_at_the_host_streams_denied(app: App, alice: Browser):
    started = app.initiates(ALICE)

    reaches_host(alice, started.oauth_url).denies()

    assert app.is_told(started.session_id) == ["denied"]


def test_a_newcomer_signs_up_first(app: App, service: Service):
    started = app.initiates(ROSIE)
    browser = service.browser()

    signing_up = reaches_host(browser, started.oauth_url).approves()
    waiting = app.awaits(started.session_id)
    first = next(waiting).WhichOneof("outcome")
    signing_up.chooses("rosie").presses(decision="allow")

    (event,) = waiting
    assert first == "pending"
    assert event.completed.username == "rosie"


def test_native_confirmation_off_completes_without_a_question(
    listens: Callable[..., Running], open_service: Callable[..., Service]
):
    service = open_service(native_confirmation=False)
    signs_in(service, service.browser(), ALICE, username="alice")
    with listens(service).channel() as channel:
        app = App(channel)
        started = app.initiates(ALICE)
        reaches_host(service.browser(), started.oauth_url).approves()

        assert completed(app, started.session_id).username == "alice"


# --- delivery -------------------------------------------------------------------------


def test_a_token_is_given_out_until_it_is_acknowledged(app: App, alice: Browser):
    started = app.initiates(ALICE)
    decides(alice, started.oauth_url)

    first, second = (completed(app, started.session_id) for _ in range(2))
    acknowledged = app.is_told(started.session_id, last_event_id="completed")

    assert first.did == second.did
    assert acknowledged == []
    assert app.is_told(started.session_id) == ["expired"]


def test_a_token_waits_for_five_minutes(app: App, alice: Browser, world: World):
    started = app.initiates(ALICE)
    decides(alice, started.oauth_url)

    world.clock.advance(299)
    in_time = app.is_told(started.session_id)
    world.clock.advance(2)

    assert in_time == ["completed"]
    assert app.is_told(started.session_id) == ["expired"]


def test_await_and_acknowledge_without_the_verifier_are_refused(
    app: App, alice: Browser
):
    started = app.initiates(ALICE, code_challenge=challenge_of(VERIFIER))
    decides(alice, started.oauth_url)

    for more in ({}, {"last_event_id": "completed"}):
        with pytest.raises(grpc.RpcError) as refused:
            app.is_told(started.session_id, code_verifier="stolen", **more)
        assert metadata_of(refused.value)["latchkey-error"] == "wrong_verifier"

    told = app.is_told(started.session_id, code_verifier=VERIFIER)
    assert told == ["completed"]


def test_no_token_and_no_secret_is_logged(
    app: App, alice: Browser, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(0)
    started = app.initiates(ALICE, code_challenge=challenge_of(VERIFIER))
    decides(alice, started.oauth_url)
    (event,) = app.awaits(started.session_id, code_verifier=VERIFIER)

    for canary in (event.completed.token, started.session_id, VERIFIER):
        assert canary not in caplog.text


# --- two processes, two front ends ----------------------------------------------------


def test_a_restart_between_start_and_callback_loses_nothing(
    listens: Callable[..., Running], service: Service, alice: Browser
):
    first = listens(service)
    with first.channel() as channel:
        started = App(channel).initiates(ALICE)
    first.stops()
    decides(alice, started.oauth_url)

    with listens(service).channel() as channel:
        assert completed(App(channel), started.session_id).username == "alice"


def test_login_begun_over_http_is_awaited_over_grpc(
    app: App, alice: Browser, service: Service
):
    web = WebApp(service).starts(ALICE)
    decides(alice, web.link)

    assert completed(app, web.secret).username == "alice"


def test_login_begun_over_grpc_is_awaited_over_http(
    app: App, alice: Browser, service: Service
):
    started = app.initiates(ALICE)
    decides(alice, started.oauth_url)
    web = WebApp(service)
    web.secret = started.session_id

    assert web.status() == "completed"


# --- the code that the page shows -----------------------------------------------------


def test_the_example_of_the_page_signs_a_person_in(
    running: Running,
    alice: Browser,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
):
    # What an app generates from the .proto bears the names that stand there.
    for name, module in {
        "latchkey": latchkey,
        "latchkey.v1": v1,
        "latchkey.v1.auth_pb2": auth_pb2,
        "latchkey.v1.auth_pb2_grpc": auth_pb2_grpc,
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    example: dict[str, Any] = {}
    shown = PAGE.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    exec(shown, example)  # noqa: S102
    kept: list[auth_pb2.Completed] = []

    with running.channel() as channel:
        signed_in = example["sign_in"](
            channel,
            ALICE,
            show=lambda url, _code: decides(alice, url),
            keep=kept.append,
        )

    assert signed_in
    assert kept[0].username == "alice"
    (row,) = service.rows("SELECT acknowledged_at FROM native_logins")
    assert row[0] is not None


def test_newcomer_who_may_not_join_is_refused_and_the_app_is_told(
    open_service: Callable[..., Service], listens: Callable[..., Running]
):
    """SIGNUP_ALLOW holds for this front end as well."""
    service = open_service(signup_allow=SignupRule.parse("invited"))
    with listens(service).channel() as channel:
        app = App(channel)
        started = app.initiates(ROSIE)

        page = reaches_host(service.browser(), started.oauth_url).approves()

        assert page.error == "not_a_member"
        assert app.is_told(started.session_id) == ["denied"]
    assert service.rows("SELECT did FROM users") == []


def test_app_of_a_disabled_account_is_told_denied_while_it_waits(
    app: App, alice: Browser, service: Service
):
    started = app.initiates(ALICE)
    events = app.awaits(started.session_id)
    first = next(events).WhichOneof("outcome")
    reaches_host(alice, started.oauth_url).approves()

    service.app.test_cli_runner().invoke(args=["users", "disable", "alice", "--yes"])

    assert first == "pending"
    assert outcomes(events) == ["denied"]
