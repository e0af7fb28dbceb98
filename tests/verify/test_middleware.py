"""WSGI and ASGI middleware, and Flask's `current_user`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import Client

from latchkey_verify import TokenExpired, TokenMissing, asgi, wsgi
from latchkey_verify.flask import current_user, sign_in
from tests.verify.service import HOUR, FakeService


@pytest.fixture
def application(service: FakeService) -> Flask:
    app = Flask("sample")
    sign_in(app, service.verifier())

    @app.get("/")
    def index() -> str:
        return f"Hello {current_user.username}" if current_user else "Hello"

    return app


def call(app: Any, scope: dict[str, Any]) -> list[dict[str, Any]]:
    """Run one request of an ASGI application; return what it sent."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    asyncio.run(app(scope, receive, send))
    return sent


def test_flask_with_a_cookie_knows_the_person(application, service):
    cookie = f"platform_token={service.token()}"

    answer = application.test_client(use_cookies=False).get(
        "/", headers={"Cookie": cookie}
    )

    assert answer.text == "Hello alice"


@pytest.mark.parametrize(
    "headers", [{}, {"Cookie": "platform_token=x"}, {"Authorization": "Bearer x"}]
)
def test_flask_without_a_good_token_knows_no_person(application, headers):
    answer = application.test_client(use_cookies=False).get("/", headers=headers)

    assert (answer.status_code, answer.text) == (200, "Hello")


def test_wsgi_says_why_no_person_is_signed_in(service):
    seen: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.append(environ[wsgi.ERROR])
        start_response("200 OK", [])
        return [b""]

    token = service.token()
    client = Client(wsgi.SignedIn(app, service.verifier()))
    service.clock.advance(2 * HOUR)
    client.get("/", headers={"Authorization": f"Bearer {token}"})
    client.get("/")

    assert [type(error) for error in seen] == [TokenExpired, TokenMissing]


def test_wsgi_before_the_first_keys_answers_503(service):
    token, verifier = service.token(), service.verifier()
    service.is_down = True

    answer = Client(wsgi.SignedIn(lambda *_: [], verifier)).get(
        "/", headers={"Authorization": f"Bearer {token}"}
    )

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_asgi_with_split_cookie_headers_knows_the_person(service, kind):
    seen: list[Any] = []

    async def app(scope: Any, *_: Any) -> None:
        seen.append(scope[asgi.PERSON])

    token = service.token().encode()
    headers = [(b"cookie", b"a=b"), (b"cookie", b"platform_token=" + token)]
    call(asgi.SignedIn(app, service.verifier()), {"type": kind, "headers": headers})

    assert seen[0].username == "alice"


@pytest.mark.parametrize(
    ("kind", "first"),
    [("http", "http.response.start"), ("websocket", "websocket.close")],
)
def test_asgi_before_the_first_keys_is_unavailable(service, kind, first):
    bearer = f"Bearer {service.token()}".encode()
    service.is_down = True
    scope = {"type": kind, "headers": [(b"authorization", bearer)]}

    sent = call(asgi.SignedIn(None, service.verifier()), scope)

    assert sent[0]["type"] == first
    assert sent[0].get("status", 503) == 503


def test_asgi_lets_other_events_pass(service):
    seen: list[str] = []

    async def app(scope: Any, *_: Any) -> None:
        seen.append(scope["type"])

    call(asgi.SignedIn(app, service.verifier()), {"type": "lifespan"})

    assert seen == ["lifespan"]
