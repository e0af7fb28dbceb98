"""How long a copied token works after its session ended, by simulated time.

The table of docs/services-safely.md says so; each row is measured here.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

import pytest

from latchkey_verify import NotSignedIn, Verifier
from tests.printed import ROOT
from tests.service import HOME
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.browser import Browser
    from tests.fakes.clock import FakeClock
    from tests.service import Service

PAGE = (ROOT / "docs/services-safely.md").read_text("utf-8")
TOLD = {
    what: int(most) for what, most in re.findall(r"(?m)^\| (.+) \| (\d+) s \|", PAGE)
}


@pytest.fixture
def service(open_service: Callable[..., Service]) -> Service:
    """The whole sign-in service."""
    return open_service()


@pytest.fixture
def browser(service: Service) -> Browser:
    """The browser from which the token was copied."""
    return signs_in(
        service, service.browser(), "alice.skyhost.social", username="alice"
    )


@pytest.fixture
def token(browser: Browser) -> str:
    """The copy."""
    cookie = browser.jar.get("platform_token")
    assert cookie is not None
    assert cookie.value is not None
    return cookie.value


def settle() -> None:
    """Wait for the threads that refresh in the background."""
    for thread in threading.enumerate():
        if thread.name.endswith("(refresh)"):  # by its target
            thread.join(5)


def verifier_of(service: Service, clock: FakeClock) -> Verifier:
    """Return a verifier that asks the service in this process."""

    def fetch(url: str) -> bytes:
        answer = service.get(url.removeprefix(HOME))
        if answer.status != 200:
            raise OSError(answer.status)
        return answer.body

    return Verifier(HOME, algorithm="ES256", fetch=fetch, clock=clock, monotonic=clock)


def lifetime(works: Callable[[], bool], clock: FakeClock) -> int:
    """Return after how many seconds a request in each second is refused."""
    for seconds in range(60):
        if not works():
            return seconds
        settle()
        clock.advance(1)
    pytest.fail("still accepted after a minute")


def is_accepted(verifier: Verifier, token: str) -> bool:
    try:
        verifier.verify(token)
    except NotSignedIn:
        return False
    return True


@pytest.mark.parametrize(
    ("path", "row"),
    [
        ("/auth/session", "asks `/auth/session`, `/auth/users` or `/auth/xrpc`"),
        ("/auth/users/alice", "asks `/auth/session`, `/auth/users` or `/auth/xrpc`"),
        ("/auth/verify", "is behind `/auth/verify`"),
    ],
)
def test_service_that_is_asked_refuses_within_the_told_time(
    service, browser, token, clock, path, row
):
    def works() -> bool:
        return service.get(path, Authorization=f"Bearer {token}").status == 200

    assert works()
    browser.signs_out()

    assert lifetime(works, clock) <= TOLD[row]


@pytest.fixture
def still_accepts(service, browser, token, clock):
    """Return what asks a verifier that has seen the token; its session has ended."""
    verifier = verifier_of(service, clock)
    assert is_accepted(verifier, token)
    browser.signs_out()
    return lambda: is_accepted(verifier, token)


def test_verifier_that_is_in_use_refuses_within_the_told_time(still_accepts, clock):
    lived = lifetime(still_accepts, clock)
    row = "verifies offline and reads the feed, while requests come"
    assert 5 < lived <= TOLD[row]


def test_verifier_with_requests_far_apart_refuses_within_the_told_time(
    still_accepts, clock
):
    clock.advance(29)

    lived = 29 + lifetime(still_accepts, clock)
    assert 29 < lived <= TOLD["the same, while requests are far apart"]


def test_verifier_after_a_quiet_time_refuses_the_first_request(still_accepts, clock):
    clock.advance(30)

    lived = lifetime(still_accepts, clock)
    assert lived == TOLD["the same, with the first request after 30 s without one"]


def test_verifier_without_the_feed_accepts_until_the_token_ends(
    service, browser, token, clock
):
    verifier = verifier_of(service, clock)
    verifier._ended._load = lambda _: (_ for _ in ()).throw(OSError("down"))
    assert is_accepted(verifier, token)
    browser.signs_out()

    most = TOLD["verifies offline without the feed"]
    clock.advance(most - 20)
    assert is_accepted(verifier, token)
    lived = lifetime(lambda: is_accepted(verifier, token), clock)
    assert 0 < lived <= 20
