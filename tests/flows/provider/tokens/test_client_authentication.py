"""Client authentication: Basic or body, one of them, and never as another kind."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace

import pytest

from app.flows.errors import TooManyRequests
from app.flows.provider.registration import Client
from app.flows.provider.tokens.client_authentication import AuthenticateClient, Caller
from app.flows.provider.tokens.requests import (
    LONGEST,
    LONGEST_JWT,
    Form,
    ProgramRefused,
)
from tests.fakes.clock import NOON
from tests.stores.samples import oauth_client

SECRET = "s3cret:with+signs"
ENCODED = "app:s3cret%3Awith%2Bsigns"
APP = oauth_client("app")
DESK = oauth_client(
    "desk", registration=replace(APP.registration, is_public=True, pkce="required")
)
CLOSED = oauth_client("closed", disabled_at=NOON)
ALL = (APP, DESK, CLOSED)


class Known:
    """Clients, of which those with a secret have the same one."""

    def get(self, client_id: str) -> Client | None:
        return next((one for one in ALL if one.client_id == client_id), None)

    def has_secret(self, client_id: str, secret: str) -> bool:
        return client_id in {"app", "closed"} and secret == SECRET


@dataclass
class Rates:
    """Lets a network fail so often."""

    left: int = 1

    def hit_all(self, kind: str, counted: object) -> None:
        assert kind == "client"
        self.left -= 1
        if self.left < 0:
            raise TooManyRequests("client", 1)


def authenticates(authorization: str | None = None, **body: str) -> Client:
    form = Form.read({name: [value] for name, value in body.items()})
    caller = Caller(form=form, authorization=authorization, network="192.0.2.1")
    return AuthenticateClient(
        clients=Known(), rates=Rates(), verify=lambda _client, _assertion: False
    )(caller)


def refused(authorization: str | None = None, **body: str) -> ProgramRefused:
    with pytest.raises(ProgramRefused) as caught:
        authenticates(authorization, **body)
    return caught.value


def basic(pair: str | bytes) -> str:
    raw = pair if isinstance(pair, bytes) else pair.encode()
    return "Basic " + base64.b64encode(raw).decode()


def test_secret_in_the_body_authenticates() -> None:
    assert authenticates(client_id="app", client_secret=SECRET) is APP


@pytest.mark.parametrize("pair", [ENCODED, "%61pp:s3cret:with%2Bsigns"])
def test_secret_by_basic_authenticates(pair: str) -> None:
    assert authenticates(basic(pair)) is APP
    assert authenticates(basic(pair).replace("Basic", "bAsIc"), client_id="app") is APP


def test_public_client_names_itself_in_the_body() -> None:
    assert authenticates(client_id="desk") is DESK


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"client_id": ""},
        {"client_id": "nemo"},
        {"client_id": "nemo", "client_secret": SECRET},
        {"client_id": "app"},
        {"client_id": "app", "client_secret": ""},
        {"client_id": "app", "client_secret": "wrong"},
        {"client_id": "desk", "client_secret": SECRET},
        {"client_id": "closed", "client_secret": SECRET},
        {"client_id": "app", "client_assertion": "e30.e30.x"},
    ],
)
def test_body_that_proves_no_client_is_invalid_client(body: dict[str, str]) -> None:
    assert refused(**body).code == "invalid_client"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ",
        "Bearer abc",
        "Basic ???",
        "Basic YXBwOg",
        basic("app"),
        basic("app:"),
        basic("app:wrong"),
        basic("desk:"),
        basic("nemo:" + SECRET),
        basic("closed:s3cret%3Awith%2Bsigns"),
        basic(b"app:\xff\xfe"),
        basic("app:%ff"),
        basic("app:\n"),
        basic("app:ä"),
        basic("app:" + "x" * LONGEST),
        basic("app:s3cret%3Awith%2Bsigns") + ", Basic x",
    ],
)
def test_header_that_proves_no_client_is_invalid_client(header: str) -> None:
    assert refused(header).code == "invalid_client"


@pytest.mark.parametrize(
    "body",
    [{"client_id": "app", "client_secret": SECRET}, {"client_id": "desk"}],
)
def test_two_authentications_at_once_are_refused(body: dict[str, str]) -> None:
    error = refused(basic("app:s3cret%3Awith%2Bsigns"), **body)

    assert error.code == "invalid_request"


def test_form_refuses_repeated_and_long_parameters() -> None:
    for values in (["a", "b"], ["a", "a"], ["x" * (LONGEST + 1)]):
        with pytest.raises(ProgramRefused, match="invalid_request"):
            Form.read({"code": values})
    assert Form.read({"code": ["", "a"], "scope": [""]}).values == {"code": "a"}


@pytest.mark.parametrize("form", [{"code": ["\udcff"]}, {"\udcff": ["a"]}])
def test_form_refuses_bytes_that_are_no_utf8(form: dict[str, list[str]]) -> None:
    with pytest.raises(ProgramRefused, match="no UTF-8"):
        Form.read(form)


def test_form_takes_a_longer_jwt_than_other_parameters() -> None:
    Form.read({"client_assertion": ["x" * LONGEST_JWT]})
    with pytest.raises(ProgramRefused, match="invalid_request"):
        Form.read({"client_assertion": ["x" * (LONGEST_JWT + 1)]})


def test_failures_count_against_the_network_and_successes_do_not() -> None:
    authenticate = AuthenticateClient(
        clients=Known(),
        rates=Rates(left=2),
        verify=lambda _client, _assertion: False,
    )

    def tries(secret: str) -> Client:
        values = {"client_id": ["app"], "client_secret": [secret]}
        form = Form.read(values)
        return authenticate(Caller(form=form, authorization=None, network="192.0.2.1"))

    for _ in range(2):
        assert tries(SECRET) is APP
        with pytest.raises(ProgramRefused):
            tries("wrong")
    with pytest.raises(TooManyRequests):
        tries("wrong")
    assert tries(SECRET) is APP
