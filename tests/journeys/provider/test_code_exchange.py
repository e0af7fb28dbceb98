"""The token endpoint: a code becomes an access token, an id_token, a refresh token."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import jwt
import pytest

from app.flows.keys.life_cycle import RELOAD_EVERY
from app.flows.provider.tokens.id_token import at_hash
from tests.fakes.browser import Browser
from tests.fakes.page import Page
from tests.fakes.relying_party import RelyingParty
from tests.journeys.people.commands import events, runs
from tests.journeys.provider.back_channel import (
    CB,
    FORM,
    VERIFIER,
    App,
    answered,
    basic,
    error_of,
    posts,
)
from tests.service import HOME, Service
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable

ALICE = "alice.skyhost.social"
OTHER = "o" * 43
BASE = {"grant_type": "authorization_code", "redirect_uri": CB}


@pytest.fixture
def alice(browser: Browser, service: Service) -> Browser:
    return signs_in(service, browser, ALICE, username="alice")


@pytest.fixture
def app(alice: Browser, service: Service) -> App:
    return App.added(service)


# --- what a code brings ---------------------------------------------------------------


def test_code_brings_tokens_for_its_scope(app: App, service: Service) -> None:
    answer = app.redeems(app.code())
    tokens = answered(answer)

    assert set(tokens) == {
        *("access_token", "token_type", "expires_in", "scope"),
        *("id_token", "refresh_token"),
    }
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 900)
    assert tokens["scope"] == "openid profile"
    assert len(tokens["access_token"]) == 43
    assert answer.headers["Content-Type"] == "application/json"
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["Pragma"] == "no-cache"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Set-Cookie" not in answer.headers
    for secret in (tokens["access_token"], tokens["refresh_token"]):
        for table in ("provider_tokens", "provider_grants", "provider_codes"):
            rows = service.rows(f"SELECT * FROM {table}")  # noqa: S608 - our names
            assert secret not in repr(rows)


def test_id_token_says_what_openid_connect_asks_for(app: App, service: Service) -> None:
    now = int(service.world.clock())
    tokens = app.signs_in(scope="openid profile groups")

    header = jwt.get_unverified_header(tokens["id_token"])
    claims = app.opens(tokens["id_token"])
    [(did,)] = service.rows("SELECT did FROM users")
    assert set(header) == {"alg", "kid"}
    assert claims == {
        "iss": HOME,
        "sub": did,
        "aud": "app",
        "iat": now,
        "exp": now + 3600,
        "auth_time": now - 100,
        "nonce": "n-0S6",
        "at_hash": at_hash(tokens["access_token"]),
        "sid": app.grants[0],
        **answered(app.userinfo(tokens["access_token"])),
    }
    assert claims["preferred_username"] == "alice"
    assert claims["groups"] == []


def test_at_hash_is_that_of_the_specification() -> None:
    # OpenID Connect Core, appendix A.3.
    assert at_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y") == (
        "77QmUPtjPfzWtF2AnpK9RQ"
    )


def test_id_token_has_a_nonce_only_if_one_was_sent(app: App) -> None:
    assert "nonce" not in app.opens(app.signs_in(nonce=None)["id_token"])


def test_lean_id_token_has_no_claims_of_userinfo(
    alice: Browser, service: Service
) -> None:
    app = App.added(service, "--lean-id-token")
    tokens = app.signs_in()

    claims = app.opens(tokens["id_token"])
    assert set(claims) == {
        *("iss", "sub", "aud", "iat", "exp", "auth_time", "nonce", "at_hash", "sid"),
    }
    assert answered(app.userinfo(tokens["access_token"]))["preferred_username"]


def test_scope_without_openid_brings_no_id_token(app: App) -> None:
    tokens = app.signs_in(scope="profile")

    assert "id_token" not in tokens


def test_client_without_the_grant_type_gets_no_refresh_token(
    alice: Browser, service: Service
) -> None:
    app = App.added(service, "--grant", "authorization_code")
    tokens = app.signs_in()

    assert "refresh_token" not in tokens
    assert error_of(app.refreshes("x")) == (400, "unauthorized_client")


@pytest.mark.parametrize("algorithm", ["ES256", "HS256"])
def test_id_token_is_signed_with_rs256_beside_platform_tokens_of_another_algorithm(
    open_service: Callable[..., Service], algorithm: str
) -> None:
    secret = bytes(range(32)) if algorithm == "HS256" else None
    service = open_service(token_algorithm=algorithm, jwt_secret=secret)
    signs_in(service, service.browser(), ALICE, username="alice")
    app = App.added(service)

    id_token = app.signs_in()["id_token"]

    assert jwt.get_unverified_header(id_token)["alg"] == "RS256"
    assert app.opens(id_token)["aud"] == "app"


@pytest.mark.parametrize("algorithm", ["ES256", "HS256"])
def test_service_that_was_upgraded_without_init_has_its_key_after_the_sweep(
    open_service: Callable[..., Service],
    algorithm: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    secret = bytes(range(32)) if algorithm == "HS256" else None
    service = open_service(token_algorithm=algorithm, jwt_secret=secret)
    browser = signs_in(service, service.browser(), ALICE, username="alice")
    app = App.added(service)
    party = RelyingParty(service, "app", app.secret)
    code = app.code()
    service.rows("DELETE FROM signing_keys WHERE alg = 'RS256'")
    service.world.clock.advance(RELOAD_EVERY)

    assert error_of(app.redeems(code)) == (503, "temporarily_unavailable")
    assert caplog.text.count("the next sweep makes it, or `init` now") == 1
    assert party.error(party.sends(browser)) == "temporarily_unavailable"
    assert service.get("/readyz").status == 200

    assert runs(service, "sweep").exit_code == 0
    service.world.clock.advance(RELOAD_EVERY)
    assert app.redeems(code).status == 200
    assert isinstance(party.sends(browser), Page)


# --- client authentication (P8, P9) ---------------------------------------------------


def test_secret_in_the_body_and_public_clients_are_served(
    app: App, service: Service
) -> None:
    desk = App.added(service, "--public", name="desk")
    shown = {"client_id": "app", "client_secret": app.secret}

    assert app.redeems(app.code(), auth=False, **shown).status == 200
    assert desk.redeems(desk.code()).status == 200


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Authorization": "Basic /////w=="}, {}),
        ({"Authorization": "Basic YXBwOv/+"}, {}),
        ({"Authorization": basic("app", "wrong")}, {}),
        ({"Authorization": "Bearer x"}, {}),
        ({}, {"client_id": "app"}),
        ({}, {"client_id": "nemo", "client_secret": "x"}),
        ({}, {}),
    ],
)
def test_program_that_proves_no_client_gets_401(
    app: App, headers: dict[str, str], body: dict[str, str]
) -> None:
    code = app.code()
    answer = app.redeems(code, auth=False, headers=headers, **body)

    assert error_of(answer) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="platform"'
    assert app.redeems(code).status == 200


def test_header_of_bytes_that_are_no_utf8_is_401(app: App) -> None:
    answer = app.redeems(app.code(), headers={"Authorization": "Basic \xff\xfe"})

    assert error_of(answer) == (401, "invalid_client")


def test_basic_and_body_together_are_refused(app: App) -> None:
    answer = app.redeems(app.code(), client_id="app", client_secret=app.secret)

    assert error_of(answer) == (400, "invalid_request")


def test_failed_authentications_of_one_address_are_limited(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(rate_limit_client_failures_per_address="3/minute")
    signs_in(service, service.browser(), ALICE, username="alice")
    app = App.added(service)
    wrong = {"Authorization": basic("app", "wrong")}
    for _ in range(3):
        assert app.redeems("x", headers=wrong).status == 401

    answer = app.redeems("x", headers=wrong)

    assert error_of(answer) == (429, "temporarily_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert app.redeems(app.code()).status == 200


# --- the form of the request (P8, P34) ------------------------------------------------


def test_parameters_of_the_url_do_not_count(app: App, service: Service) -> None:
    code = app.code()
    headers = {"Content-Type": FORM, "Authorization": basic("app", app.secret or "")}
    query = urlencode({**BASE, "code": code, "code_verifier": VERIFIER})

    answer = posts(service, f"/oauth/token?{query}", "", headers)
    assert error_of(answer) == (400, "invalid_request")
    shown = urlencode({"client_id": "app", "client_secret": app.secret})
    headers = {"Content-Type": FORM}
    answer = posts(service, f"/oauth/token?{shown}", query, headers)
    assert error_of(answer) == (400, "invalid_request")
    assert app.redeems(code).status == 200


def test_multipart_form_with_a_good_code_is_refused(app: App, service: Service) -> None:
    code = app.code()
    fields = {**BASE, "code": code, "code_verifier": VERIFIER}
    name = 'Content-Disposition: form-data; name="{}"'
    parts = [f"--x\r\n{name.format(n)}\r\n\r\n{v}\r\n" for n, v in fields.items()]
    headers = {
        "Content-Type": "multipart/form-data; boundary=x",
        "Authorization": basic("app", app.secret or ""),
    }

    answer = posts(service, "/oauth/token", "".join(parts) + "--x--\r\n", headers)

    assert error_of(answer) == (400, "invalid_request")
    assert app.redeems(code).status == 200


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", json.dumps(BASE)),
        ("text/plain", "grant_type=authorization_code"),
        ("", "grant_type=authorization_code"),
    ],
)
def test_body_that_is_no_form_is_refused(
    app: App, service: Service, kind: str, body: str
) -> None:
    headers = {"Content-Type": kind, "Authorization": basic("app", app.secret or "")}

    answer = posts(service, "/oauth/token", body, headers)

    assert error_of(answer) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password'\"\\ä"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"grant_type": ["authorization_code", "refresh_token"]}, "invalid_request"),
        ({"code": None}, "invalid_request"),
        ({"code": "x" * 8_192}, "invalid_request"),
        ({"code": "unknown"}, "invalid_grant"),
        ({"code": "\x00"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"redirect_uri": f"{CB}/"}, "invalid_grant"),
        ({"redirect_uri": f"{CB}'\"ä"}, "invalid_grant"),
        ({"resource": "https://api.example.org"}, "invalid_target"),
    ],
)
def test_wrong_parameter_is_refused_and_uses_no_code_up(
    app: App, changes: dict[str, Any], error: str
) -> None:
    code = app.code()

    assert error_of(app.redeems(code, **changes)) == (400, error)
    assert app.redeems(code).status == 200


def test_get_and_head_are_no_token_request(service: Service) -> None:
    for method in ("GET", "HEAD", "PUT"):
        answer = service.browser().requests(method, f"{HOME}/oauth/token")
        assert answer.status == 405


@pytest.mark.parametrize("path", ["token", "par", "revoke", "introspect", "userinfo"])
def test_wrong_method_is_refused_in_json(service: Service, path: str) -> None:
    """A client that parses each error by RFC 6749 section 5.2 gets no page."""
    browser = service.browser(fetch_metadata=False)

    answer = browser.requests("PUT", f"{HOME}/oauth/{path}", accept="*/*")

    assert error_of(answer) == (405, "invalid_request")
    assert "POST" in answer.headers["Allow"]


def test_loopback_development_is_served_over_http(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(loopback=True)
    signs_in(service, service.browser(), ALICE, username="alice")
    app = App.added(service)

    assert app.signs_in()["id_token"]


# --- the code (P5, P6) ----------------------------------------------------------------


@pytest.mark.parametrize("verifier", [None, OTHER, "v" * 42, "v" * 44])
@pytest.mark.parametrize("kind", [(), ("--public",)])
def test_wrong_verifier_uses_the_code_up(
    alice: Browser, service: Service, kind: tuple[str, ...], verifier: str | None
) -> None:
    app = App.added(service, *kind)
    code = app.code()

    assert error_of(app.redeems(code, code_verifier=verifier)) == (400, "invalid_grant")
    assert error_of(app.redeems(code)) == (400, "invalid_grant")


def test_verifier_without_a_challenge_is_refused(
    alice: Browser, service: Service
) -> None:
    app = App.added(service, "--pkce", "optional")
    code = app.code(code_challenge=None)

    assert error_of(app.redeems(code)) == (400, "invalid_grant")
    other = app.code(code_challenge=None)
    assert app.redeems(other, code_verifier=None).status == 200


def test_code_used_twice_ends_what_it_brought(app: App, service: Service) -> None:
    code = app.code()
    tokens = answered(app.redeems(code))

    assert error_of(app.redeems(code)) == (400, "invalid_grant")

    assert app.userinfo(tokens["access_token"]).status == 401
    assert error_of(app.refreshes(tokens["refresh_token"])) == (400, "invalid_grant")
    [(did, detail)] = events(service, "grant_ended")
    assert did == service.rows("SELECT did FROM users")[0][0]
    assert (detail["client"], detail["reason"]) == ("app", "code used twice")


def test_code_ends_after_a_minute(app: App, service: Service) -> None:
    code = app.code()
    service.world.clock.advance(60)

    assert error_of(app.redeems(code)) == (400, "invalid_grant")


def test_code_of_another_client_is_refused_and_stays_good(
    app: App, service: Service
) -> None:
    other = App.added(service, name="other")
    code = app.code()

    assert error_of(other.redeems(code)) == (400, "invalid_grant")
    tokens = answered(app.redeems(code))
    assert error_of(other.redeems(code)) == (400, "invalid_grant")
    assert app.userinfo(tokens["access_token"]).status == 200


@pytest.mark.parametrize(
    "lost",
    [
        ("clients", "disable", "app", "--yes"),
        ("clients", "edit", "app", "--allow", "group:staff"),
        ("users", "disable", "alice", "--yes"),
    ],
)
def test_code_brings_nothing_once_access_is_lost(
    app: App, service: Service, lost: tuple[str, ...]
) -> None:
    code = app.code()
    assert runs(service, *lost, "--reason", "test").exit_code == 0

    assert error_of(app.redeems(code)) == (400, "invalid_grant")


def test_tokens_are_in_no_log(app: App, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    code = app.code()
    tokens = answered(app.redeems(code))
    again = answered(app.refreshes(tokens["refresh_token"]))

    secrets = {code, VERIFIER, app.secret, *tokens.values(), *again.values()}
    secrets -= {"Bearer", tokens["scope"], 900}
    for secret in secrets:
        assert str(secret) not in caplog.text
