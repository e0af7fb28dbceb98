"""docs/services.md and docs/services-safely.md: their programs, run as printed."""

from __future__ import annotations

import asyncio
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from django.conf import settings
from django.urls import path
from werkzeug.test import Client

from tests.printed import ISSUER, shown
from tests.verify.attacks import attacks
from tests.verify.service import FakeService, listening

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGIN, SAFELY = "docs/services.md", "docs/services-safely.md"
OURS = "https://app.example.org"


@pytest.fixture(scope="module")
def service() -> Iterator[FakeService]:
    """The documents of a sign-in service, over HTTP."""
    with listening() as served:
        yield served


@pytest.fixture
def programs(service: FakeService) -> Iterator[Any]:
    """A function that runs a printed program; returns its names."""
    names: list[str] = []

    def run(language: str, page: str) -> dict[str, Any]:
        # FastAPI looks up the names of annotations in the module of a function.
        module = ModuleType(f"printed_{language.replace(' ', '_')}")
        names.append(module.__name__)
        sys.modules[module.__name__] = module
        printed = shown(language, page).replace(ISSUER, service.issuer)
        exec(printed, vars(module))  # noqa: S102
        return vars(module)

    yield run
    for name in names:
        del sys.modules[name]


def cookie(token: str) -> dict[str, str]:
    return {"Cookie": f"platform_token=garbage; platform_token={token}"}


def asked(app: Any, headers: dict[str, str]) -> httpx.Response:
    """Ask an ASGI application for its first page."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=OURS) as client:
            return await client.get("/", headers=headers)

    return asyncio.run(ask())


def test_flask_program_greets_or_leads_to_the_sign_in(programs, service):
    client = Client(programs("python", BEGIN)["app"], use_cookies=False)

    assert client.get("/", headers=cookie(service.token())).text == "Hello alice"
    led = client.get("/")
    assert led.status_code == 302
    assert led.headers["Location"].startswith(f"{service.issuer}/auth/login?return_to=")


def test_fastapi_program_greets_or_answers_401(programs, service):
    app = programs("python fastapi", BEGIN)["app"]

    assert asked(app, cookie(service.token())).json() == {"hello": "alice"}
    bearer = {"Authorization": f"Bearer {service.token()}"}
    assert asked(app, bearer).json() == {"hello": "alice"}
    assert asked(app, {}).status_code == 401


@pytest.mark.parametrize("name", ["alg none", "foreign ring", "typ at+jwt"])
def test_fastapi_program_refuses_and_says_why(programs, service, name):
    token, named = attacks(service)[name]

    answer = asked(programs("python fastapi", BEGIN)["app"], cookie(token))

    assert answer.status_code == 401
    assert answer.json()["detail"].startswith(named)


def test_django_program_greets_or_leads_to_the_sign_in(programs, service):
    if not settings.configured:
        settings.configure(ROOT_URLCONF="printed_urls", ALLOWED_HOSTS=["localhost"])
    example = programs("python django", BEGIN)
    urls = ModuleType("printed_urls")
    urls.urlpatterns = [path("", example["index"])]  # type: ignore[attr-defined]
    sys.modules["printed_urls"] = urls
    client = Client(example["application"], use_cookies=False)

    assert client.get("/", headers=cookie(service.token())).text == "Hello alice"
    led = client.get("/")
    assert led.status_code == 302
    assert led.headers["Location"] == example["verifier"].login_url("http://localhost/")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "same-site", "Origin": "https://b.example.org"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": OURS}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": OURS}, 200),
        ({"Origin": "null"}, 403),
        ({}, 403),
        ({"Authorization": "Bearer x"}, 200),
    ],
)
def test_csrf_program_takes_forms_of_its_own_pages_alone(programs, headers, status):
    app = programs("python csrf", SAFELY)["app"]
    app.add_url_rule("/", view_func=lambda: "changed", methods=["POST"])

    assert Client(app).post("/", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("origin", "signed_in", "first"),
    [
        (OURS, True, "websocket.accept"),
        (OURS, False, "websocket.close"),
        ("https://b.example.org", True, "websocket.close"),
        (None, True, "websocket.close"),
    ],
)
def test_websocket_program_accepts_its_own_pages_alone(
    programs, service, origin, signed_in, first
):
    app = programs("python websocket", SAFELY)["app"]
    headers = cookie(service.token()) if signed_in else {}
    headers |= {"Origin": origin} if origin else {}
    sent: list[Any] = []
    received = iter(
        [
            {"type": "websocket.connect"},
            {"type": "websocket.receive", "text": "hi"},
            {"type": "websocket.disconnect", "code": 1000},
        ]
    )

    async def receive() -> Any:
        return next(received)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/live",
        "query_string": b"",
        "subprotocols": [],
        "headers": [(n.lower().encode(), v.encode()) for n, v in headers.items()],
    }
    asyncio.run(app(scope, receive, send))

    assert sent[0]["type"] == first
    assert [one.get("text") for one in sent[1:]] in ([], ["alice: hi"])
