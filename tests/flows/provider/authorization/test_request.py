"""Authorization requests: what is read, what a page says, what the app is told."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from app.flows.provider.authorization.errors import (
    ClientNotKnown,
    RedirectUriInvalid,
    RequestRefused,
)
from app.flows.provider.authorization.request import (
    LONGEST,
    LONGEST_ECHO,
    LONGEST_HINT,
    AuthorizationRequest,
    ReadRequest,
)
from app.flows.provider.redirect_uris import RedirectRules
from app.flows.provider.registration import Client, Registration
from tests.fakes.clock import NOON

CB = "https://app.example.org/cb"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
GOOD = {
    "client_id": "app",
    "redirect_uri": CB,
    "response_type": "code",
    "scope": "openid groups",
    "state": "st",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
APP = Client(
    client_id="app",
    registration=Registration(
        name="The App", redirect_uris=(CB,), scope="openid profile groups"
    ),
    allow=("everyone",),
    created_at=NOON,
    changed_at=NOON,
)


class Known:
    """The client store, as far as requests need it."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def get(self, client_id: str) -> Client | None:
        return self.client if client_id == self.client.client_id else None


def reads(
    client: Client = APP, *, again: dict[str, str] | None = None, **changes: Any
) -> AuthorizationRequest:
    """Read the good request with changes; None leaves a parameter out."""
    read = ReadRequest(
        clients=Known(client),  # type: ignore[arg-type]
        redirects=RedirectRules(
            own_origin="https://auth.platform.cafe", is_development=False
        ),
    )
    parameters = {
        name: [value] for name, value in (GOOD | changes).items() if value is not None
    }
    for name, value in (again or {}).items():
        parameters.setdefault(name, []).append(value)
    found, request = read(parameters)
    assert found is client
    return request


def registered(**changes: Any) -> Client:
    return replace(APP, registration=replace(APP.registration, **changes))


def refused(client: Client = APP, **changes: Any) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        reads(client, **changes)
    error = caught.value
    assert error.redirect_uri == CB
    assert re.fullmatch(r"[ !#-\[\]-~]+", error.description)  # RFC 6749 section 5.2
    return error


def test_good_request_is_read_as_it_came() -> None:
    request = reads(
        nonce="n-0S6_WzA2Mj",
        prompt="login consent",
        max_age="0",
        login_hint="alice.example.org",
        id_token_hint="e30.e30.x",
    )

    assert request == AuthorizationRequest(
        client_id="app",
        redirect_uri=CB,
        scope="openid groups",
        state="st",
        nonce="n-0S6_WzA2Mj",
        prompt=frozenset({"login", "consent"}),
        max_age=0,
        login_hint="alice.example.org",
        id_token_hint="e30.e30.x",
        code_challenge=CHALLENGE,
    )


def test_empty_parameters_count_as_omitted() -> None:
    request = reads(nonce="", prompt="", max_age="", scope="", request="", resource="")

    assert request.scope == "openid profile groups"
    assert (request.nonce, request.prompt, request.max_age) == (None, frozenset(), None)


# --- a page of ours (P2) --------------------------------------------------------------


@pytest.mark.parametrize("client_id", [None, "", "App", "nemo", "app\n", "\udcff"])
def test_unknown_client_is_no_redirect(client_id: str | None) -> None:
    with pytest.raises(ClientNotKnown):
        reads(client_id=client_id)


def test_repeated_client_is_no_redirect() -> None:
    with pytest.raises(ClientNotKnown):
        reads(again={"client_id": "app"})


def test_disabled_client_is_no_redirect() -> None:
    with pytest.raises(ClientNotKnown):
        reads(replace(APP, disabled_at=NOON))


@pytest.mark.parametrize(
    "uri",
    [
        None,
        "",
        f"{CB}/",
        f"{CB}?x",
        "https://APP.example.org/cb",
        "https://app.example.org:443/cb",
        "https://app.example.org/%2e/cb",
        "https://a@app.example.org/cb",
        "https://evil.example/cb",
    ],
)
def test_redirect_uri_that_is_not_registered_is_no_redirect(uri: str | None) -> None:
    with pytest.raises(RedirectUriInvalid):
        reads(redirect_uri=uri)


def test_repeated_redirect_uri_is_no_redirect() -> None:
    with pytest.raises(RedirectUriInvalid):
        reads(again={"redirect_uri": CB})


# --- what the app is told (P5, P7, P34) -----------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"response_type": None}, "invalid_request", "response_type"),
        ({"response_type": "token"}, "unsupported_response_type", "response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type", ""),
        ({"response_mode": "fragment"}, "invalid_request", "response_mode"),
        ({"response_mode": "form_post"}, "invalid_request", "response_mode"),
        ({"request": "x"}, "invalid_request", "request "),
        ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported", "request "),
        ({"request": "e30.e30.e30.e30.e30"}, "request_not_supported", "request "),
        ({"request_uri": "https://evil.example/r"}, "invalid_request", "request_uri"),
        ({"request_uri": "urn:x"}, "invalid_request", "request_uri"),
        ({"registration": "{}"}, "invalid_request", "registration"),
        ({"resource": "https://api.example.org"}, "invalid_target", "resource"),
        ({"scope": "nothing known"}, "invalid_scope", "scope"),
        ({"scope": "openid\tgroups"}, "invalid_scope", "scope"),
        ({"scope": "email"}, "invalid_scope", "scope"),
        ({"prompt": "none login"}, "invalid_request", "prompt"),
        ({"prompt": "Login"}, "invalid_request", "prompt"),
        ({"prompt": "login\tconsent"}, "invalid_request", "prompt"),
        ({"max_age": "-1"}, "invalid_request", "max_age"),
        ({"max_age": "1e9"}, "invalid_request", "max_age"),
        ({"max_age": "x"}, "invalid_request", "max_age"),
        ({"max_age": "\u0661"}, "invalid_request", "max_age"),
        ({"code_challenge": None}, "invalid_request", "code_challenge"),
        ({"code_challenge_method": None}, "invalid_request", "code_challenge_method"),
        ({"code_challenge_method": "plain"}, "invalid_request", "S256"),
        ({"code_challenge": "x" * 42}, "invalid_request", "challenge"),
        ({"code_challenge": "x" * 44}, "invalid_request", "challenge"),
        ({"code_challenge": "x" * 42 + "="}, "invalid_request", "challenge"),
    ],
)
def test_request_is_refused(changes: dict[str, Any], code: str, said: str) -> None:
    error = refused(**changes)

    assert (error.code, error.state) == (code, "st")
    assert said in error.description


@pytest.mark.parametrize("name", ["state", "nonce", "scope", "prompt", "max_age"])
def test_repeated_parameter_is_refused(name: str) -> None:
    error = refused(**{name: "0"}, again={name: "1"})

    assert error.code == "invalid_request"
    assert f"{name} is repeated" in error.description
    assert error.state == (None if name == "state" else "st")


@pytest.mark.parametrize("name", ["ui_locales", "acr_values", "claims", "canary"])
def test_repeated_parameter_that_nothing_reads_is_refused(name: str) -> None:
    error = refused(**{name: "0"}, again={name: "1"})

    assert (error.code, error.state) == ("invalid_request", "st")
    assert error.description == "a parameter is repeated"
    assert reads(**{name: "0"}, again={name: ""})  # empty counts as omitted


@pytest.mark.parametrize("name", ["state", "nonce", "login_hint", "display"])
def test_parameter_that_is_no_utf8_is_refused(name: str) -> None:
    error = refused(**{name: "a\udcff"})

    assert error.code == "invalid_request"
    assert error.description.endswith(" is no UTF-8")
    assert error.state == (None if name == "state" else "st")


def test_name_that_is_no_utf8_is_refused() -> None:
    assert refused(**{"a\udcff": "x"}).description == "a parameter is no UTF-8"


@pytest.mark.parametrize("name", ["state", "nonce"])
def test_state_and_nonce_return_as_they_came(name: str) -> None:
    value = "ä \U0001f5dd%20+&=\"'<" + "x" * 2_000

    assert getattr(reads(**{name: value}), name) == value


@pytest.mark.parametrize("value", ["a\nb", "a\x00", "\x7f", "\x85", "x" * 2_049])
@pytest.mark.parametrize("name", ["state", "nonce"])
def test_state_and_nonce_that_cannot_return_are_refused(name: str, value: str) -> None:
    error = refused(**{name: value})

    assert (error.code, error.description[:5]) == ("invalid_request", name[:5])
    assert error.state == (None if name == "state" else "st")


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("nonce", LONGEST_ECHO),
        ("login_hint", LONGEST),
        ("scope", LONGEST),
        ("id_token_hint", LONGEST_HINT),
    ],
)
def test_long_parameter_is_refused(name: str, most: int) -> None:
    assert refused(**{name: "x" * (most + 1)}).description == f"{name} is too long"


def test_refusals_repeat_nothing_of_the_request() -> None:
    for name in ("scope", "prompt", "max_age", "response_type", "code_challenge"):
        assert "canary" not in refused(**{name: "canary"}).description


def test_unknown_scope_words_are_left_out() -> None:
    assert reads(scope="openid api:all groups email").scope == "openid groups"


# --- PKCE (P5) ------------------------------------------------------------------------


def test_client_that_may_leaves_pkce_out() -> None:
    client = registered(pkce="optional")
    without = {"code_challenge": None, "code_challenge_method": None}

    assert reads(client, **without).code_challenge is None
    assert reads(client).code_challenge == CHALLENGE


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None},
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
    ],
)
def test_client_that_may_leave_pkce_out_sends_no_half_of_it(
    changes: dict[str, Any],
) -> None:
    assert refused(registered(pkce="optional"), **changes).code == "invalid_request"
