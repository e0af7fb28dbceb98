"""GET / and the other URLs of our client metadata; a denial that names no login."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.fakes.app import App
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.browser import Browser
    from tests.service import Service

ALICE = "alice.skyhost.social"


def urls_in(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        document = list(document.values())
    if isinstance(document, list):
        for one in document:
            yield from urls_in(one)
    elif isinstance(document, str) and document.startswith("https://"):
        yield document


def test_every_url_of_the_client_metadata_answers(service: Service) -> None:
    metadata = service.get("/oauth-client-metadata.json").json()
    ours = [url for url in urls_in(metadata) if url.startswith(service.home)]

    assert service.home + "/" in ours
    for url in ours:
        page = service.browser().visits(url, site="cross-site")
        assert page.status not in {404, 405, 500}, url


def test_home_leads_to_login_or_to_the_account(browser: Browser) -> None:
    before = browser.visits("/", site="cross-site")
    browser.signs_in(ALICE, username="alice")
    after = browser.visits("/")

    assert (before.status, urlsplit(before.url).path) == (200, "/auth/login")
    assert (after.status, urlsplit(after.url).path) == (200, "/auth/account")


@pytest.fixture
def app(service: Service) -> App:
    signs_in(service, service.browser(), ALICE, username="alice")
    return App(service).starts(ALICE)


def test_home_after_a_denial_without_an_answer_denies_the_apps_login(
    app: App, service: Service
) -> None:
    """Some hosts answer a denial with a redirect to client_uri alone."""
    browser = service.browser()
    browser.navigates("GET", app.link, site="none")

    page = browser.visits("/", site="cross-site")

    assert urlsplit(page.url).path == "/auth/result"
    assert app.status() == "denied"


@pytest.mark.parametrize(
    ("site", "headers"),
    [
        ("none", {}),
        ("same-origin", {}),
        ("cross-site", {"Sec-Purpose": "prefetch"}),
        ("same-site", {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}),
    ],
)
def test_home_that_no_host_sent_to_leaves_the_apps_login_open(
    app: App, service: Service, site: str, headers: dict[str, str]
) -> None:
    browser = service.browser()
    browser.navigates("GET", app.link, site="none")

    browser.requests("GET", service.home + "/", site=site, headers=headers)

    assert app.status() == "pending"
