"""The verifier and the real service agree: a token that it signed is accepted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from latchkey_verify import SessionEnded, TokenInvalid, Verifier
from tests.printed import listening, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.browser import Browser
    from tests.fakes.world import World
    from tests.service import Service


def token_of_alice(service: Service, browser: Browser | None = None) -> str:
    browser = browser or service.browser()
    browser.signs_in("alice.skyhost.social", username="alice")
    cookie = browser.jar.get("platform_token")
    assert cookie is not None
    assert cookie.value is not None
    return cookie.value


def test_token_of_the_service_is_accepted_over_http(
    open_service: Callable[..., Service], world: World
):
    world.clock.advance(time.time() - world.clock())
    with listening(open_service) as service:
        token = token_of_alice(service)
        person = Verifier(service.home).verify(token)

        assert (person.did, person.username) == (world.alice.did, "alice")
        with pytest.raises(TokenInvalid, match="aud"):
            Verifier(service.home, "other").verify(token)


def test_printed_lines_of_the_package_run(
    open_service: Callable[..., Service], world: World
):
    world.clock.advance(time.time() - world.clock())
    with listening(open_service) as service:
        printed = shown("python", "packages/latchkey-verify/README.md")
        lines: dict[str, object] = {}
        exec(printed.replace("https://auth.example.org", service.home), lines)  # noqa: S102
        who_is_it = lines["who_is_it"]
        assert callable(who_is_it)

        assert who_is_it(token_of_alice(service)).username == "alice"
        assert who_is_it("nonsense") is None


def test_token_is_refused_after_sign_out(
    open_service: Callable[..., Service], world: World
):
    world.clock.advance(time.time() - world.clock())
    with listening(open_service) as service:
        browser = service.browser()
        token = token_of_alice(service, browser)
        Verifier(service.home).verify(token)
        browser.signs_out()
        world.clock.advance(2)  # for which a process repeats its answer

        with pytest.raises(SessionEnded):
            Verifier(service.home).verify(token)


def test_feed_that_did_not_change_answers_304(open_service: Callable[..., Service]):
    service = open_service()
    first = service.get("/auth/revocations")
    again = service.get("/auth/revocations", **{"If-None-Match": first.headers["ETag"]})

    assert first.headers["Content-Type"] == "application/jwt"
    assert first.headers["Cache-Control"] == "public, max-age=10"
    assert again.status == 304


def test_feed_with_a_broken_cursor_answers_400(open_service: Callable[..., Service]):
    service = open_service()
    answer = service.get("/auth/revocations?since=x", Accept="application/json")

    assert answer.status == 400
    assert answer.json()["error"] == "invalid_request"
