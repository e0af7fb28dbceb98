"""Hostile and broken requests at /oauth/authorize: a page of ours, or an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from tests.fakes.browser import query_of
from tests.fakes.page import Page
from tests.fakes.relying_party import CB, FORM, RelyingParty, allows
from tests.journeys.people.commands import runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.browser import Browser
    from tests.service import Service

HOLDS = "SELECT count(*) FROM provider_requests"
CODES = "SELECT count(*) FROM provider_codes"


def opens(app: RelyingParty, browser: Browser, *more: tuple[str, str], **changes: Any):
    """Open a request with parameters beside its own."""
    query = urlencode([*app.parameters(**changes).items(), *more])
    return browser.visits(f"/oauth/authorize?{query}", site="cross-site")


# --- client and redirect URI: no redirect (P2, P3) ------------------------------------


@pytest.mark.parametrize("client_id", [None, "", "APP", "app ", "other", "x" * 8_000])
def test_unknown_client_gets_a_page_and_no_redirect(
    app: RelyingParty, alice: Browser, client_id: str | None
) -> None:
    page = app.sends(alice, client_id=client_id)

    assert (page.status, page.error) == (400, "unknown_client")
    assert not [link for link in page.links if "app.example.org" in link]


def test_disabled_client_gets_a_page_and_no_redirect(
    app: RelyingParty, alice: Browser, service: Service
) -> None:
    app.code(allows(app.sends(alice)))
    runs(service, "clients", "disable", "app", "--yes")

    assert app.sends(alice).error == "unknown_client"


@pytest.mark.parametrize(
    "redirect_uri",
    [
        None,
        "",
        "https://app.example.org/CB",
        "https://App.example.org/cb",
        "HTTPS://app.example.org/cb",
        f"{CB}/",
        f"{CB}?",
        f"{CB}#",
        f"{CB}?x=1",
        "https://app.example.org:443/cb",
        "https://app.example.org/%63b",
        "https://app.example.org/x/%2e%2e/cb",
        "https://evil@app.example.org/cb",
        "https://app.example.org@evil.example/cb",
        "https://app.example.org.evil.example/cb",
        "https://evil.example/cb",
        "//app.example.org/cb",
        "/cb",
        "javascript:alert(1)",
        f"{CB}\n",
        f" {CB}",
        "https://app.example.org/" + "x" * 7_000,
    ],
)
def test_redirect_uri_of_another_spelling_gets_a_page_and_no_redirect(
    app: RelyingParty, alice: Browser, redirect_uri: str | None
) -> None:
    page = app.sends(alice, redirect_uri=redirect_uri)

    assert (page.status, page.error) == (400, "invalid_redirect_uri")


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_repeated_client_or_redirect_uri_gets_a_page_and_no_redirect(
    app: RelyingParty, alice: Browser, name: str
) -> None:
    page = opens(app, alice, (name, app.parameters()[name]))

    assert page.status == 400
    assert page.error in {"unknown_client", "invalid_redirect_uri"}


def test_answer_has_the_redirect_uri_byte_for_byte(
    alice: Browser, service: Service
) -> None:
    odd = "https://app.example.org/a%2Fb/[1];x='(2)'?next=%20%C3%A4&empty="
    app = RelyingParty.registered(service, redirect_uri=odd)

    page = allows(app.sends(alice))

    assert page.url.startswith(f"{odd}&code=")


# --- errors that the app is told (P1, P5, P7) -----------------------------------------


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"request": "x"}, "invalid_request"),
        ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported"),
        ({"request_uri": "https://evil.example/r.jwt"}, "invalid_request"),
        ({"registration": "{}"}, "invalid_request"),
        ({"resource": "https://api.example.org"}, "invalid_target"),
        ({"scope": "nothing\tknown"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "1e9"}, "invalid_request"),
        ({"max_age": "x"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "soon"}, "invalid_request"),
        ({"nonce": "x" * 2_049}, "invalid_request"),
        ({"id_token_hint": "e30.e30.e30"}, "invalid_request"),
    ],
)
def test_wrong_request_is_answered_to_the_app_with_state_and_iss(
    app: RelyingParty, alice: Browser, service: Service, changes: Any, error: str
) -> None:
    assert app.error(app.sends(alice, **changes)) == error
    assert service.rows(HOLDS) == service.rows(CODES) == [(0,)]


def test_repeated_parameter_is_answered_to_the_app(
    app: RelyingParty, alice: Browser
) -> None:
    assert app.error(opens(app, alice, ("scope", "openid"))) == "invalid_request"


@pytest.mark.parametrize("how", ["GET", "POST"])
@pytest.mark.parametrize("name", ["nonce", "state", "ui_locales"])
@pytest.mark.parametrize("value", ["%ff", "a%C3", "%ED%A0%80"])
def test_bytes_that_are_no_utf8_are_answered_to_the_app(
    app: RelyingParty, alice: Browser, *, how: str, name: str, value: str
) -> None:
    asked = f"{urlencode(app.parameters(**{name: None}))}&{name}={value}"
    url = f"{app.service.home}/oauth/authorize"
    if how == "GET":
        answer = alice.requests("GET", f"{url}?{asked}", site="cross-site")
    else:
        answer = alice.requests(
            "POST",
            url,
            site="cross-site",
            body=asked.encode(),
            headers={"Content-Type": FORM, "Origin": "https://app.example.org"},
        )

    assert answer.status == 303
    told = query_of(answer.headers["Location"])
    assert (told["error"], told["iss"]) == ("invalid_request", app.service.home)
    assert told.get("state") == (None if name == "state" else app.state)


@pytest.mark.parametrize("how", ["GET", "POST"])
def test_byte_that_is_no_utf8_by_itself_is_answered_to_the_app(
    app: RelyingParty, *, how: str
) -> None:
    asked = f"{urlencode(app.parameters())}&ui_locales=\xff".encode("latin-1")
    is_query = how == "GET"
    answer = app.service.app.test_client().open(
        "/oauth/authorize",
        method=how,
        base_url=app.service.home,
        data=None if is_query else asked,
        content_type=None if is_query else FORM,
        environ_overrides={"QUERY_STRING": asked.decode("latin-1") * is_query},
    )

    assert answer.status_code == 303
    assert query_of(answer.headers["Location"])["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("client_id", "unknown_client"),
        ("redirect_uri", "invalid_redirect_uri"),
    ],
)
def test_client_and_redirect_uri_that_are_no_utf8_get_a_page_and_no_redirect(
    app: RelyingParty, alice: Browser, name: str, error: str
) -> None:
    query = f"{urlencode(app.parameters(**{name: None}))}&{name}=%ff"

    page = alice.visits(f"/oauth/authorize?{query}", site="cross-site")

    assert (page.status, page.error) == (400, error)


def test_pushed_request_uri_that_is_no_utf8_is_answered(
    app: RelyingParty, alice: Browser
) -> None:
    query = f"{urlencode(app.parameters())}&request_uri={app.pushes()}%ff"

    page = alice.visits(f"/oauth/authorize?{query}", site="cross-site")

    assert app.error(page) == "invalid_request"


@pytest.mark.parametrize("name", ["ui_locales", "acr_values", "claims", "unknown"])
def test_repeated_parameter_that_nothing_reads_is_answered_to_the_app(
    app: RelyingParty, alice: Browser, name: str
) -> None:
    assert app.error(opens(app, alice, (name, "a"), (name, "a"))) == "invalid_request"


def test_parameter_of_query_and_body_is_a_repeated_one(
    app: RelyingParty, alice: Browser
) -> None:
    page = alice.posts(
        "/oauth/authorize?nonce=x",
        app.parameters(),
        origin="https://app.example.org",
        site="cross-site",
    )

    assert app.error(page) == "invalid_request"


def test_state_returns_as_it_came(app: RelyingParty, alice: Browser) -> None:
    state = "ä \U0001f5dd%20+&=\"'<>#?/"

    page = allows(app.sends(alice, state=state))

    assert app.receives(page, state=state)["code"]


def test_empty_parameters_count_as_omitted(app: RelyingParty, alice: Browser) -> None:
    page = app.sends(alice, prompt="", max_age="", scope="", request="", resource="")

    assert app.code(allows(page))


# --- what is spent and what is written (P13, P14) -------------------------------------


@pytest.mark.parametrize("path", ["authorize", "consent"])
@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {"Sec-Purpose": "prefetch"}, 503),
        ("GET", {"Sec-Purpose": "prefetch;prerender"}, 503),
        ("HEAD", {}, 405),
    ],
)
def test_speculative_load_and_head_issue_and_consume_nothing(
    alice: Browser,
    service: Service,
    *,
    path: str,
    method: str,
    headers: Any,
    status: int,
) -> None:
    app = RelyingParty.registered(service, "--trusted")
    url = app.url()
    if path == "consent":
        page = app.sends(alice, prompt="consent")
        url = page.url

    answer = alice.requests(method, url, headers=headers)

    assert answer.status == status
    assert service.rows(CODES) == [(0,)]
    assert app.code(allows(page) if path == "consent" else app.sends(alice))


def test_speculative_load_leaves_a_pushed_request_to_the_person(
    app: RelyingParty, alice: Browser, service: Service
) -> None:
    query = urlencode({"client_id": "app", "request_uri": app.pushes()})
    url = f"{service.home}/oauth/authorize?{query}"

    assert alice.requests("GET", url, headers={"Sec-Purpose": "prefetch"}).status == 503

    assert app.code(allows(alice.visits(url)))


def test_answers_are_303_and_neither_stored_nor_referred_to(
    app: RelyingParty, alice: Browser, service: Service
) -> None:
    page = app.sends(alice)
    form = page.form_that_says(decision="allow")
    body = urlencode({**form.fields, "decision": "allow"}).encode()
    sent = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "null"}

    url = f"{service.home}/oauth/consent"
    answer = alice.requests("POST", url, site="same-origin", body=body, headers=sent)

    assert answer.status == 303
    for one in (answer, page.answer, alice.requests("GET", app.url())):
        assert one.headers["Cache-Control"] == "no-store"
        assert one.headers["Referrer-Policy"] == "no-referrer"


def test_no_log_has_a_request_or_a_code(
    app: RelyingParty, alice: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    code = app.code(allows(app.sends(alice)))
    app.sends(alice, client_id="canary-client")
    app.sends(alice, redirect_uri="https://canary.example")
    app.sends(alice, scope="canary")

    logged = "\n".join(record.getMessage() for record in caplog.records)
    secrets = (code, app.state, app.nonce, app.verifier, app.secret, "canary", "?")
    assert [one for one in secrets if one and one in logged] == []


def test_address_that_asks_too_often_waits(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(rate_limit_authorize_per_address="3/minute")
    app, browser = RelyingParty.registered(service), service.browser()
    pages = [app.sends(browser) for _ in range(4)]

    assert [page.error for page in pages] == [None, None, None, "too_many_requests"]
    assert isinstance(app.posts(browser), Page)
    assert app.sends(service.browser(address="203.0.113.9")).error is None
