"""JSON of strangers to the service's own endpoints, and in a browser's own cookie."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import pytest

from tests.fakes.app import App
from tests.service import Service

DEEP = b"[" * 30_000


@pytest.mark.parametrize(
    "body",
    [DEEP, b'{"identifier":' * 4_000, b'{"identifier": "a.b", "identifier": "c.d"}'],
    ids=["deep arrays", "deep objects", "repeated name"],
)
def test_native_login_with_ambiguous_json_returns_invalid_request(
    service: Service, body: bytes
) -> None:
    answer = App(service).initiates(body)

    assert (answer.status, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("name", ["latchkey-accounts", "__Host-latchkey-accounts"])
def test_login_page_with_deeply_nested_cookie_shows_no_account(
    service: Service, name: str
) -> None:
    cookie = f"{name}={urlsafe_b64encode(DEEP[:3_000]).decode()}"

    answer = App(service).requests("GET", "/auth/login", {"Cookie": cookie})

    assert answer.status == 200
