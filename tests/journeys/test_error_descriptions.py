"""`error_description` of JSON answers: whole sentences, and words for programmers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.app import App
from tests.service import HOME, Service
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable

FOREIGN = "https://app.elsewhere.example"


@pytest.fixture
def service(open_service: Callable[..., Service]) -> Service:
    return open_service()


def described(answer: object) -> str:
    text: str = answer.json()["error_description"]  # type: ignore[attr-defined]
    return text


def test_native_start_with_unknown_handle_says_what_happened_and_what_helps(
    service: Service,
) -> None:
    answer = App(service).initiates({"identifier": "unknown.skyhost.social"})

    assert described(answer).startswith(
        "Nobody has the handle unknown.skyhost.social. Please look for a typing mistake"
    )


@pytest.mark.parametrize("path", ["/auth/session", "/auth/verify", "/auth/users/alice"])
def test_request_without_a_token_is_told_cookie_and_header(
    service: Service, path: str
) -> None:
    told = described(service.get(path, Origin=HOME))

    assert "the cookie platform_token" in told
    assert "Authorization: Bearer" in told


def test_call_of_a_foreign_page_is_told_its_origin_and_the_setting(
    service: Service,
) -> None:
    told = described(service.get("/auth/users/alice", Origin=FOREIGN))

    assert f"(Origin: {FOREIGN}; Sec-Fetch-Site: not sent)" in told
    assert "RETURN_HOSTS" in told


def test_page_that_starts_a_native_login_is_told_that_programs_do(
    service: Service,
) -> None:
    app = App(service)
    answer = app.initiates({"identifier": "alice.skyhost.social"}, Origin=FOREIGN)

    assert described(answer).endswith("send neither Origin nor Sec-Fetch-Site.")


def test_verify_with_a_group_twice_is_told_the_parameter(service: Service) -> None:
    answer = service.get("/auth/verify?group=staff&group=cooks")

    assert described(answer).endswith("cannot be read: group: given twice.")


def test_look_up_of_an_unknown_account_says_that_there_is_none(
    service: Service,
) -> None:
    browser = signs_in(
        service, service.browser(), "alice.skyhost.social", username="alice"
    )
    cookie = browser.jar.get("platform_token")
    assert cookie is not None
    answer = service.get("/auth/users/bob", Authorization=f"Bearer {cookie.value}")

    assert answer.status == 404
    assert described(answer).startswith("No account that can be seen here")
