"""What is counted of whole sign-ins, verifications, calls and refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.atproto.http.types import Deadline
from app.flows.xrpc.allow_list import XrpcAllowList
from tests.fakes.app import App, confirms
from tests.metrics.conftest import Counted

if TYPE_CHECKING:
    from collections.abc import Callable

ALICE = "alice.skyhost.social"
FAILURE = "latchkey_failures_total"


def test_sign_in_counts_both_halves_and_its_requests(counted: Counted):
    counted.service.browser().signs_in(ALICE, username="alice")

    seen = counted.scrape()
    for step in ("start", "finish"):
        name = "latchkey_sign_ins_total"
        assert seen.value(name, step=step, outcome="ok", code="") == 1
    for name in ("to_host", "at_host", "callback"):
        assert seen.value(f"latchkey_sign_in_{name}_seconds_count") == 1
    outgoing = "latchkey_outgoing_requests_total"
    assert seen.value(outgoing, kind="handle", host="other", result="2xx") == 1
    assert seen.value(outgoing, kind="did", host="plc", result="2xx") == 1
    assert seen.value(outgoing, kind="par", result="2xx") == 1
    assert seen.value(outgoing, kind="par", result="4xx") == 1
    assert seen.value(outgoing, kind="token", result="2xx") == 1
    assert seen.value("latchkey_nonce_retries_total", kind="par") == 1
    requests = "latchkey_requests_total"
    assert seen.value(requests, route="/auth/callback", status="3xx") == 1


def test_time_at_the_host_is_the_persons(counted: Counted):
    at_host = counted.service.browser().opens_login().types(ALICE)
    counted.service.world.clock.advance(30)
    at_host.approves()

    assert counted.scrape().value("latchkey_sign_in_at_host_seconds_sum") == 30


def test_refused_and_failed_logins_are_told_apart(counted: Counted):
    browser = counted.service.browser()
    browser.opens_login().tries("absent.skyhost.social")
    browser.opens_login().types(ALICE).denies()
    browser.opens_login().types(ALICE).meets("server_error")

    seen = counted.scrape()
    name = "latchkey_sign_ins_total"
    refused = {"outcome": "refused"}
    assert seen.value(name, step="start", code="handle_not_found", **refused) == 1
    assert seen.value(name, step="finish", code="access_denied", **refused) == 1
    failed = {"outcome": "failed", "code": "host_unreachable"}
    assert seen.value(name, step="finish", **failed) == 1
    assert seen.value(FAILURE, code="handle_not_found") == 1


def test_verify_counts_hits_misses_and_invalid_tokens(counted: Counted):
    browser = counted.service.browser()
    browser.signs_in(ALICE, username="alice")
    for _ in range(3):
        browser.visits("/auth/verify", accept="application/json")
    counted.service.get("/auth/verify", Authorization="Bearer nonsense")

    seen = counted.scrape()
    results = ("miss", "hit", "invalid", "outage")
    name = "latchkey_verifications_total"
    assert [seen.value(name, result=one) for one in results] == [1, 2, 1, 0]


@pytest.mark.parametrize(
    ("decision", "outcomes"),
    [("allow", ["started", "allowed", "delivered"]), ("deny", ["started", "denied"])],
)
def test_native_login_counts_each_step(counted: Counted, decision: str, outcomes):
    counted.service.browser().signs_in(ALICE, username="alice")
    app = App(counted.service).starts(ALICE)
    confirms(counted.service.browser(), app, decision)
    app.asks()
    app.acknowledges()

    seen = counted.scrape()
    told = [
        sample.labels["outcome"]
        for sample in seen.samples
        if sample.name == "latchkey_native_logins_total"
    ]
    assert told == outcomes


def test_open_streams_are_a_gauge(counted: Counted):
    app = App(counted.service).starts(ALICE)
    name = "latchkey_places_in_use"

    with app.streams() as stream:
        stream.event()
        during = counted.scrape().value(name, place="streams")

    assert during == 1
    assert counted.scrape().value(name, place="streams") == 0


def test_refusal_by_a_rate_limit_names_the_limit(count: Callable[..., Counted]):
    counted = count(rate_limit_login_per_address="1/minute")
    browser = counted.service.browser()
    browser.opens_login().types(ALICE)
    browser.opens_login().tries(ALICE)

    seen = counted.scrape()
    assert seen.value("latchkey_rate_limit_refusals_total", limit="address") == 1


def test_calls_count_the_answer_or_the_refusal(count: Callable[..., Counted]):
    allowed = XrpcAllowList.parse("rpc:com.atproto.server.getSession")
    counted = count(xrpc_allow=allowed)
    service = counted.service
    browser = service.browser()
    browser.signs_in(ALICE, username="alice")
    token = browser.jar.get("platform_token")
    assert token is not None
    bearer = f"Bearer {token.value}"
    service.get("/auth/xrpc/com.atproto.server.getSession", Authorization=bearer)
    service.get("/auth/xrpc/com.atproto.server.other", Authorization=bearer)

    seen = counted.scrape()
    name = "latchkey_xrpc_calls_total"
    assert seen.value(name, outcome="2xx") == 1
    assert seen.value(name, outcome="call_not_allowed") == 1
    assert seen.value("latchkey_places_in_use", place="calls") == 0


def test_refresh_counts_its_outcome(counted: Counted, world):
    counted.service.browser().signs_in(ALICE, username="alice")
    (row,) = counted.service.rows("SELECT did, session_id FROM oauth_sessions")

    client = counted.service.client
    client.refresh(*row, deadline=Deadline.after(9, world.clock.monotonic))

    seen = counted.scrape()
    assert seen.value("latchkey_refreshes_total", outcome="refreshed") == 1


def test_database_connections_in_use_fall_back_to_zero(counted: Counted):
    counted.service.browser().signs_in(ALICE, username="alice")

    name = "latchkey_database_connections_in_use"
    assert name in counted.scrape().names()
    assert counted.scrape().value(name) == 0


def test_sweep_counts_its_rows(counted: Counted):
    counted.service.browser().opens_login().types(ALICE)
    counted.service.world.clock.advance(7200)
    result = counted.service.app.test_cli_runner().invoke(args=["sweep"])

    seen = counted.scrape()
    assert result.exit_code == 0
    assert seen.value("latchkey_sweeps_total", outcome="done") == 1
    assert seen.value("latchkey_swept_rows_total", kind="auth_requests") >= 1


HOSTILE = 'x"}\n# HELP forged\nlatchkey_forged{a="b"} 1\n\x1b[2J'


def test_no_label_has_a_text_of_a_stranger(count: Callable[..., Counted]):
    """Every door gets hostile input; every label stays a word of ours."""
    counted = count(xrpc_allow=XrpcAllowList.parse("rpc:com.atproto.server.getSession"))
    service, browser = counted.service, counted.service.browser()
    browser.signs_in(ALICE, username="alice")
    token = browser.jar.get("platform_token")
    assert token is not None
    bearer = {"Authorization": f"Bearer {token.value}"}
    quoted = "canary%22%7D%0Aforged"
    for path in (
        f"/{quoted}",
        f"/auth/xrpc/{quoted}",
        f"/auth/native/login/{quoted}/await",
        f"/auth/verify/{quoted}",
        f"/auth/callback?state={quoted}&error={quoted}&iss={quoted}",
    ):
        service.get(path, **bearer)
        service.get(path, **{"User-Agent": "canary", "X-Request-Id": "canary-1"})
    browser = service.browser()
    for text in ("canary.example.org", "did:web:canary.example.org", HOSTILE):
        browser.opens_login().tries(text)
    browser.opens_login().types(ALICE).meets("canary_error", HOSTILE)
    App(service).initiates({"identifier": HOSTILE, "app_name": "canary"})

    seen = counted.scrape()
    assert "canary" not in seen.text
    assert "forged" not in seen.text
    assert all(word.replace("<", "").isprintable() for word in seen.label_values())
    assert "alice" not in seen.text


def test_number_of_series_does_not_grow_with_strangers(counted: Counted):
    def visits(number: int) -> int:
        counted.service.get(f"/path-{number}")
        page = counted.service.browser().opens_login()
        page.tries(f"absent-{number}.skyhost.social")
        return len(counted.scrape().samples)

    first = visits(0)

    assert [visits(number) for number in range(1, 6)] == [first] * 5
