"""Languages in use: Accept-Language, the menu of every page, the pages of hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from tests.fakes.browser import Browser
    from tests.fakes.page import Page
    from tests.fakes.world import World
    from tests.service import Service

GERMAN = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}


def opens(browser: Browser, path: str = "/auth/login", **headers: str) -> Page:
    arrived = browser.navigates(
        "GET", browser.home + path, site="none", headers=headers
    )
    assert not hasattr(arrived, "approves")
    return arrived  # type: ignore[return-value]


def chooses(browser: Browser, page: Page, language: str) -> Page:
    return browser.submits(page, page.menu, {"language": language})  # type: ignore[return-value]


def test_page_without_accept_language_is_english(standing: Service) -> None:
    page = opens(standing.browser())

    assert '<html lang="en" dir="ltr">' in page.html
    assert "Sign in to The Platform" in page.text


def test_page_with_accept_language_is_in_that_language(standing: Service) -> None:
    page = opens(standing.browser(), **GERMAN)

    assert '<html lang="de" dir="ltr">' in page.html
    assert "Bei The Platform anmelden" in page.text


def test_error_is_told_in_the_language_of_the_request(standing: Service) -> None:
    page = opens(standing.browser(), "/no/such/page", **GERMAN)

    assert (page.status, page.error) == (404, "not_found")
    assert "Unter dieser Adresse gibt es nichts" in page.text


def test_language_of_the_menu_is_remembered_and_leads_back(standing: Service) -> None:
    browser = standing.browser()
    page = opens(browser, "/auth/login?prompt=create")

    german = chooses(browser, page, "de")

    assert german.url.endswith("/auth/login?prompt=create")
    assert "Konto für The Platform anlegen" in german.text
    assert "Bei The Platform anmelden" in opens(browser).text
    assert "Create an account for" in chooses(browser, german, "en").text


def test_result_of_a_denied_login_follows_the_language_of_the_menu(
    standing: Service,
) -> None:
    browser = standing.browser()
    page = browser.opens_login().types("alice.skyhost.social").denies()

    german = chooses(browser, page, "de")

    assert german.url.endswith("/auth/result")
    assert german.error == "access_denied"
    assert "hat uns gesagt, dass die Anmeldung" in german.text
    assert "told us" not in german.text


def test_language_that_is_not_offered_forgets_the_chosen_one(
    standing: Service,
) -> None:
    browser = standing.browser()
    chooses(browser, opens(browser), "de")

    assert "Sign in to" in chooses(browser, opens(browser), "xx").text
    assert "Sign in to" in opens(browser).text


def test_page_that_answers_a_form_leads_back_with_what_was_wanted(
    standing: Service,
) -> None:
    browser = standing.browser()
    typed = {"identifier": "no handle", "return_to": "/auth/account"}
    page = browser.posts("/auth/login", typed)

    german = chooses(browser, page, "de")  # type: ignore[arg-type]

    assert german.url.endswith("/auth/login?return_to=%2Fauth%2Faccount")


@pytest.mark.parametrize(
    "page", ["https://evil.example/", "//evil.example", "javascript:alert(1)", ""]
)
def test_menu_leads_to_no_other_site(standing: Service, page: str) -> None:
    fields = {"language": "de", "page": page}

    answer = standing.browser().posts("/auth/language", fields)

    assert urlsplit(answer.url).path == "/auth/login"
    assert answer.url.startswith(standing.home)


def test_language_sent_by_another_site_is_refused(standing: Service) -> None:
    browser = standing.browser()
    fields = {"language": "de", "page": "/auth/login"}

    answer = browser.posts(
        "/auth/language", fields, origin="https://evil.example", site="cross-site"
    )

    assert answer.error == "cross_site"  # type: ignore[union-attr]
    assert "Sign in to" in opens(browser).text


def test_host_is_told_the_language_that_was_chosen(
    service: Service, world: World
) -> None:
    browser = service.browser()
    page = chooses(browser, opens(browser), "de")

    at_host = page.types("alice.skyhost.social")

    assert at_host.page.request.form["ui_locales"] == "de"  # type: ignore[union-attr]


def test_host_is_told_no_language_that_no_person_wished(
    service: Service, world: World
) -> None:
    at_host = service.browser().opens_login().types("alice.skyhost.social")

    assert "ui_locales" not in at_host.page.request.form  # type: ignore[union-attr]
