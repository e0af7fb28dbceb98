"""POST /oauth/par: pushed requests (RFC 9126; P8, P9, P24)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from tests.fakes.page import Page
from tests.fakes.relying_party import RelyingParty, allows, basic
from tests.journeys.people.commands import runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.browser import Browser
    from tests.fakes.network import Answer
    from tests.fakes.world import World
    from tests.service import Service

PAR = "/oauth/par"


def opens(browser: Browser, request_uri: str, client_id: str = "app", **more: str):
    query = urlencode({"client_id": client_id, "request_uri": request_uri, **more})
    return browser.visits(f"/oauth/authorize?{query}", site="cross-site")


def error_of(answer: Answer) -> tuple[int, str]:
    told = json.loads(answer.body)
    assert set(told) == {"error", "error_description"}
    assert told["error_description"].isascii()
    assert '"' not in told["error_description"]
    return answer.status, told["error"]


def test_pushed_request_is_used_once(app: RelyingParty, alice: Browser) -> None:
    request_uri = app.pushes()

    assert request_uri.startswith("urn:ietf:params:oauth:request_uri:")
    assert app.code(allows(opens(alice, request_uri)))
    again = opens(alice, request_uri)
    assert (again.status, again.error) == (400, "request_expired")


def test_pushed_request_decides_alone(app: RelyingParty, alice: Browser) -> None:
    page = opens(
        alice,
        app.pushes(),
        redirect_uri="https://evil.example/cb",
        state="another",
        scope="openid groups",
        request="e30.e30.",
    )

    assert app.code(allows(page))


def test_pushed_request_lives_90_seconds(
    app: RelyingParty, alice: Browser, world: World
) -> None:
    uris = [app.pushes(), app.pushes()]

    world.clock.advance(89)
    assert app.code(allows(opens(alice, uris[0])))
    world.clock.advance(1)
    assert opens(alice, uris[1]).error == "request_expired"


def test_pushed_request_of_another_client_is_not_used_up(
    app: RelyingParty, alice: Browser, service: Service
) -> None:
    RelyingParty.registered(service, name="other")
    request_uri = app.pushes()

    assert opens(alice, request_uri, "other").error == "request_expired"
    assert opens(alice, request_uri, "unknown").error == "unknown_client"

    assert app.code(allows(opens(alice, request_uri)))


def test_held_request_is_no_pushed_one(app: RelyingParty, alice: Browser) -> None:
    form = app.sends(alice).form_that_says(decision="allow")

    uri = f"urn:ietf:params:oauth:request_uri:{form.fields['request']}"

    assert opens(alice, uri).error == "request_expired"


def test_repeated_request_uri_has_ended(app: RelyingParty, alice: Browser) -> None:
    uri = app.pushes()
    query = urlencode([("client_id", "app"), ("request_uri", uri)] * 2)

    page = alice.visits(f"/oauth/authorize?{query}")

    assert page.status == 400


def test_request_of_a_disabled_client_leads_nowhere(
    app: RelyingParty, alice: Browser, service: Service
) -> None:
    request_uri = app.pushes()
    runs(service, "clients", "disable", "app", "--yes")

    assert opens(alice, request_uri).error == "unknown_client"


def test_redirect_uri_that_is_gone_since_the_push_leads_nowhere(
    app: RelyingParty, alice: Browser, service: Service
) -> None:
    app.code(allows(app.sends(alice)))
    request_uri = app.pushes()
    other = "https://app.example.org/other"
    runs(service, "clients", "edit", "app", "--redirect-uri", other)

    assert opens(alice, request_uri).error == "invalid_redirect_uri"


def test_public_client_pushes_by_its_name(alice: Browser, service: Service) -> None:
    app = RelyingParty.registered(service, "--public")

    assert app.code(allows(opens(alice, app.pushes())))


# --- authentication and form ----------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "headers", "expected"),
    [
        ({}, {"Authorization": basic("app", "wrong")}, (401, "invalid_client")),
        ({}, {"Authorization": "Basic //79"}, (401, "invalid_client")),
        ({}, {"Authorization": "Bearer x"}, (401, "invalid_client")),
        ({"client_secret": "x"}, {}, (400, "invalid_request")),
        ({"client_id": "other"}, {}, (400, "invalid_request")),
        ({"redirect_uri": "https://evil.example"}, {}, (400, "invalid_request")),
        ({"request_uri": "urn:x"}, {}, (400, "invalid_request")),
        ({"scope": "nothing"}, {}, (400, "invalid_scope")),
        ({"response_type": "token"}, {}, (400, "unsupported_response_type")),
        ({"state": "x" * 5_000}, {}, (400, "invalid_request")),
    ],
)
def test_wrong_push_is_refused(
    app: RelyingParty, fields: Any, headers: Any, expected: tuple[int, str]
) -> None:
    answer = app.calls(PAR, app.parameters() | fields, **headers)

    assert error_of(answer) == expected
    is_basic = "WWW-Authenticate" in answer.headers
    assert is_basic is (expected[0] == 401)


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data", ""])
def test_body_that_is_no_form_is_refused(app: RelyingParty, kind: str) -> None:
    answer = app.calls(PAR, app.parameters(), Content_Type=kind)

    assert error_of(answer) == (400, "invalid_request")
    assert b"the body is not" in answer.body


def test_client_with_a_secret_never_counts_as_public(app: RelyingParty) -> None:
    answer = app.calls(PAR, app.parameters(), is_authenticated=False)

    assert error_of(answer) == (401, "invalid_client")


def test_parameters_of_the_url_are_refused(app: RelyingParty) -> None:
    answer = app.calls(f"{PAR}?state=x", app.parameters())

    assert error_of(answer) == (400, "invalid_request")


def test_repeated_parameter_is_refused(app: RelyingParty) -> None:
    body = urlencode([*app.parameters().items(), ("state", "x")]).encode()

    assert error_of(app.calls(PAR, body)) == (400, "invalid_request")


@pytest.mark.parametrize("name", ["state", "nonce", "ui_locales"])
@pytest.mark.parametrize("value", [b"%ff", b"a%C3", b"\xff"])
def test_bytes_that_are_no_utf8_are_refused(
    app: RelyingParty, name: str, value: bytes
) -> None:
    asked = urlencode(app.parameters(**{name: None})).encode()
    body = b"%b&%b=%b" % (asked, name.encode(), value)

    assert error_of(app.calls(PAR, body)) == (400, "invalid_request")


def test_push_reads_and_sets_no_cookie_and_any_page_may_read_it(
    app: RelyingParty, alice: Browser
) -> None:
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Authorization": basic("app", app.secret or ""),
        "Origin": "https://spa.example",
    }
    body = urlencode(app.parameters()).encode()
    url = f"{app.service.home}{PAR}"

    answer = alice.requests(
        "POST", url, site="cross-site", body=body, headers=headers, accept="*/*"
    )

    assert answer.status == 201
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers


def test_authorize_and_consent_have_no_cors(app: RelyingParty, alice: Browser) -> None:
    for url in (app.url(), app.sends(alice).url):
        headers = {"Origin": "https://spa.example"}
        answer = alice.requests("GET", url, site="cross-site", headers=headers)
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_public_client_pushes_within_the_limit_of_its_address(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(rate_limit_authorize_per_address="2/minute")
    public = RelyingParty.registered(service, "--public", name="public")
    secret = RelyingParty.registered(service)

    answers = [public.calls(PAR, public.parameters()).status for _ in range(3)]

    assert answers == [201, 201, 429]
    assert secret.pushes()


def test_pushed_request_comes_back_after_the_sign_in(
    app: RelyingParty, service: Service
) -> None:
    page = opens(service.browser(), app.pushes(state="s" * 2_000))

    consent = page.types("alice.skyhost.social").approves()

    assert isinstance(consent, Page)
    assert app.receives(allows(consent), state="s" * 2_000)["code"]
