"""Quick answers before Flask are those of the views, and leave them all else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask, request_started
from werkzeug.test import Client, TestResponse

from tests.fakes.browser import Browser
from tests.service import Service

COOKIE = {"Cookie": "theirs=1; platform_token={token}; last=2"}
BEARER = {"Authorization": "Bearer {token}"}
STALE = "not.a.token"
JWKS = "/.well-known/jwks.json"
OF_ONE_REQUEST = {"Date", "X-Request-Id"}

ANSWERED: dict[str, tuple[str, dict[str, str]]] = {
    "verify by cookie": ("/auth/verify", COOKIE),
    "verify by Bearer token": ("/auth/verify", BEARER),
    "verify by the second cookie": (
        "/auth/verify",
        {"Cookie": f"platform_token={STALE};platform_token={{token}}"},
    ),
    "verify by cookie beside a foreign Bearer token": (
        "/auth/verify",
        {**COOKIE, "Authorization": "Bearer theirs"},
    ),
    "verify with a rule": ("/auth/verify?user=rosie&redirect=1", COOKIE),
    "session by cookie": ("/auth/session", COOKIE),
    "session by Bearer token": ("/auth/session", BEARER),
    "JWKS": (JWKS, {}),
}

LEFT: dict[str, tuple[str, dict[str, str], int]] = {
    "no token": ("/auth/verify", {}, 401),
    "a token that is not ours": (
        "/auth/verify",
        {"Cookie": f"platform_token={STALE}"},
        401,
    ),
    "another group": ("/auth/verify?group=staff", COOKIE, 403),
    "a rule that cannot be read": ("/auth/verify?group=", COOKIE, 400),
    "a quoted cookie": ("/auth/verify", {"Cookie": 'platform_token="{token}"'}, 200),
    "a preflight": (
        "/auth/verify",
        {
            **COOKIE,
            "Origin": "https://forum.platform.cafe",
            "X-Forwarded-Method": "OPTIONS",
            "Access-Control-Request-Method": "GET",
        },
        401,
    ),
    "a session that is none": ("/auth/session", {}, 401),
    "a page of the platform": (
        "/auth/session",
        {**COOKIE, "Origin": "https://forum.platform.cafe"},
        200,
    ),
    "an old ETag": (JWKS, {"If-None-Match": '"old"'}, 200),
}


@contextmanager
def counting(app: Flask) -> Iterator[list[object]]:
    """Count the requests that reach Flask."""
    seen: list[object] = []

    def note(sender: object, **_: object) -> None:
        seen.append(sender)

    with request_started.connected_to(note, app):
        yield seen


def asks(
    app: Any, browser: Browser, path: str, headers: dict[str, str]
) -> TestResponse:
    cookie = browser.jar.get("platform_token")
    assert cookie is not None
    sent = {name: text.format(token=cookie.value) for name, text in headers.items()}
    return Client(app, use_cookies=False).get(
        path, base_url="https://auth.platform.cafe", headers=sent
    )


def told(answer: TestResponse) -> tuple[str, set[tuple[str, str]], bytes]:
    headers = {one for one in answer.headers if one[0] not in OF_ONE_REQUEST}
    return answer.status, headers, answer.data


@pytest.mark.parametrize("case", ANSWERED)
def test_quick_answer_is_that_of_the_view(
    signed_in: Browser, standing: Service, case: str
) -> None:
    path, headers = ANSWERED[case]
    app = standing.app

    with counting(app) as seen:
        quick = asks(app, signed_in, path, headers)
        assert seen == []
        view = asks(
            lambda *request: Flask.wsgi_app(app, *request), signed_in, path, headers
        )
        assert len(seen) == 1

    assert quick.status_code == 200
    assert told(quick) == told(view)


@pytest.mark.parametrize("case", LEFT)
def test_request_with_something_special_is_answered_by_the_view(
    signed_in: Browser, standing: Service, case: str
) -> None:
    path, headers, status = LEFT[case]

    with counting(standing.app) as seen:
        answer = asks(standing.app, signed_in, path, headers)

    assert len(seen) == 1
    assert answer.status_code == status


def test_token_that_is_refused_is_verified_once(
    signed_in: Browser, standing: Service, caplog: pytest.LogCaptureFixture
) -> None:
    path, headers, _ = LEFT["a token that is not ours"]

    with caplog.at_level(logging.DEBUG, "app.flows.sessions.verify"):
        asks(standing.app, signed_in, path, headers)

    assert [one.getMessage()[:12] for one in caplog.records].count("not verified") == 1


def test_etag_of_the_jwks_returns_304_without_a_body(
    signed_in: Browser, standing: Service
) -> None:
    etag = asks(standing.app, signed_in, JWKS, {}).headers["ETag"]

    with counting(standing.app) as seen:
        answer = asks(standing.app, signed_in, JWKS, {"If-None-Match": etag})

    assert (answer.status_code, answer.data, seen) == (304, b"", [])
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert "Content-Length" not in answer.headers
