"""Quick answers of what comes with each sign-in to an app are those of the views."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from werkzeug.test import Client, TestResponse

from tests.fakes.relying_party import RelyingParty, allows, basic
from tests.journeys.test_quick_answers import OF_ONE_REQUEST, counting

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.browser import Browser
    from tests.service import Service

SPECULATIVE = {"Sec-Purpose": "prefetch"}


@pytest.fixture
def known(app: RelyingParty, alice: Browser) -> RelyingParty:
    """The app, which Alice has allowed."""
    allows(app.sends(alice))
    return app


def by_view(service: Service) -> Any:
    """Return the application without its quick answers."""
    return lambda *request: Flask.wsgi_app(service.app, *request)


def visits(
    wsgi: Any, browser: Browser, url: str, headers: dict[str, str] | None = None
) -> TestResponse:
    cookie = browser.jar.header(url, method="GET", cross_site=True)
    sent = {"Cookie": cookie, **(headers or {})}
    return Client(wsgi, use_cookies=False).get(
        url, base_url="https://auth.platform.cafe", headers=sent
    )


def redeems(wsgi: Any, app: RelyingParty, code: str, query: str = "") -> TestResponse:
    assert app.secret is not None
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": app.redirect_uri,
        "code_verifier": app.verifier,
    }
    return Client(wsgi, use_cookies=False).post(
        f"/oauth/token{query}",
        base_url="https://auth.platform.cafe",
        data=form,
        headers={
            "Authorization": basic(app.client_id, app.secret),
            "Cookie": "theirs=1",
        },
    )


def headers_of(answer: TestResponse) -> set[tuple[str, str]]:
    varies = OF_ONE_REQUEST | {"Content-Length"}
    return {one for one in answer.headers if one[0] not in varies}


def test_quick_redirect_is_that_of_the_view(
    known: RelyingParty, alice: Browser, service: Service
) -> None:
    url = known.url(prompt="none", max_age="x")

    with counting(service.app) as seen:
        quick = visits(service.app, alice, url)
        assert seen == []
        view = visits(by_view(service), alice, url)

    assert (quick.status, quick.data) == (view.status, view.data)
    assert headers_of(quick) == headers_of(view)


def test_person_who_has_consented_gets_a_code_without_flask(
    known: RelyingParty, alice: Browser, service: Service
) -> None:
    with counting(service.app) as seen:
        answer = visits(service.app, alice, known.url())

    assert (seen, answer.status_code) == ([], 303)
    assert answer.headers["Location"].startswith(f"{known.redirect_uri}?code=")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("changes", "headers", "status"),
    [
        ({"prompt": "consent"}, {}, 303),
        ({"client_id": "other"}, {}, 400),
        ({}, SPECULATIVE, 503),
    ],
)
def test_request_that_leads_elsewhere_is_answered_by_the_view_and_judged_once(
    known: RelyingParty,
    alice: Browser,
    service: Service,
    *,
    changes: Any,
    headers: dict[str, str],
    status: int,
) -> None:
    held = "SELECT count(*) FROM provider_requests"
    [(before,)] = service.rows(held)

    with counting(service.app) as seen:
        answer = visits(service.app, alice, known.url(**changes), headers)

    assert (len(seen), answer.status_code) == (1, status)
    assert service.rows(held) == [(before + ("prompt" in changes),)]


def test_browser_of_a_developer_is_sent_from_localhost_to_our_own_name(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(loopback=True)
    app = RelyingParty.registered(service)
    url = app.url(prompt="none")

    answer = Client(service.app).get(url, base_url="http://localhost:8000")

    assert answer.headers["Location"] == url


def test_without_the_provider_a_request_that_is_right_is_404(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(provider=False)
    app = RelyingParty.registered(service)

    answer = visits(service.app, service.browser(), app.url(prompt="none"))

    assert answer.status_code == 404
    told = asks(service.app, app, {"access_token": "none"})
    assert [one.status_code for one in told] == [404, 404]
    assert redeems(service.app, app, "code").status_code == 404


def test_quick_tokens_are_those_of_the_view(
    known: RelyingParty, alice: Browser, service: Service
) -> None:
    codes = [known.code(known.sends(alice)) for _ in range(2)]

    with counting(service.app) as seen:
        quick = redeems(service.app, known, codes[0])
        assert seen == []
        view = redeems(by_view(service), known, codes[1])

    assert (quick.status, quick.json.keys()) == (view.status, view.json.keys())
    assert headers_of(quick) == headers_of(view)


def asks(wsgi: Any, app: RelyingParty, tokens: dict[str, Any]) -> list[TestResponse]:
    """Read userinfo, and introspect."""
    client = Client(wsgi, use_cookies=False)
    token, secret = tokens["access_token"], app.secret or ""
    bearer = {"Authorization": f"Bearer {token}", "Cookie": "theirs=1"}
    by_basic = {"Authorization": basic(app.client_id, secret)}
    home = "https://auth.platform.cafe"
    return [
        client.get("/oauth/userinfo", base_url=home, headers=bearer),
        client.post(
            "/oauth/introspect",
            base_url=home,
            headers=by_basic,
            data={"token": token},
        ),
    ]


def test_quick_claims_and_state_of_a_token_are_those_of_the_views(
    known: RelyingParty, alice: Browser, service: Service
) -> None:
    tokens = known.tokens(known.code(known.sends(alice)))

    with counting(service.app) as seen:
        quick = asks(service.app, known, tokens)
        assert seen == []
        views = asks(by_view(service), known, tokens)

    for one, other in zip(quick, views, strict=True):
        assert (one.status_code, one.data) == (other.status_code, other.data)
        assert (one.status_code, headers_of(one)) == (200, headers_of(other))


def test_token_that_is_not_good_is_counted_once_and_challenged_by_the_view(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(rate_limit_failed_tokens_per_address="1/minute")
    app = RelyingParty.registered(service)

    with counting(service.app) as seen:
        refused, _ = asks(service.app, app, {"access_token": "none"})

    assert (len(seen), refused.status_code) == (1, 401)
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
    assert asks(service.app, app, {"access_token": "none"})[0].status_code == 429


def test_refused_client_is_answered_by_the_view_and_counted_once(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(rate_limit_client_failures_per_address="1/minute")
    app = replace(RelyingParty.registered(service), secret="wrong")

    with counting(service.app) as seen:
        answer = redeems(service.app, app, "code")

    assert (len(seen), answer.status_code) == (1, 401)
    assert answer.json["error"] == "invalid_client"
    assert redeems(service.app, app, "code").status_code == 429


def test_parameters_in_the_url_of_a_token_request_are_refused(
    known: RelyingParty, alice: Browser, service: Service
) -> None:
    code = known.code(known.sends(alice))

    answer = redeems(service.app, known, code, query="?code=other")

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert redeems(service.app, known, code).status_code == 200


def test_fault_of_ours_in_a_quick_answer_has_the_form_of_the_view(
    known: RelyingParty, service: Service
) -> None:
    service.rows("UPDATE provider_clients SET registration = '{'")

    answer = redeems(service.app, known, "code")

    assert answer.status_code == 500
    assert answer.json["error"] == "server_error"
