"""The apps on the account page: listed, removed, and in the person's own data."""

from __future__ import annotations

import threading

import pytest

from tests.fakes.browser import Browser
from tests.fakes.page import Page
from tests.fakes.world import World
from tests.journeys.people.commands import events
from tests.journeys.provider.apps import OFFLINE, allowed, lets_in, living, registers
from tests.service import HOME, Service
from tests.signed import signs_in

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"
ACCOUNT = "/auth/account"
APPS = f"{ACCOUNT}/apps"


@pytest.fixture
def laptop(browser: Browser, service: Service) -> Browser:
    signs_in(service, browser, ALICE, username="alice")
    registers(service, "reader", name="News Reader")
    registers(service, "wiki", name="Wiki")
    return browser


@pytest.fixture
def bob(laptop: Browser, service: Service) -> Browser:
    return signs_in(service, service.browser(), BOB, username="bobby")


def account(browser: Browser, **query: str) -> Page:
    return browser.visits(ACCOUNT, **query)


def removes(browser: Browser, **fields: str) -> Page:
    page = browser.posts(APPS, fields)
    assert isinstance(page, Page)
    return page


def test_account_page_lists_name_host_times_and_what_each_app_is_told(
    service: Service, laptop: Browser, world: World
) -> None:
    assert "Apps you have allowed" not in account(laptop).text
    lets_in(service, laptop, "reader", scope="openid profile groups")
    world.clock.advance(7200)

    text = account(laptop).text

    assert "News Reader app.example.org" in text
    assert "Allowed: 2 hours ago . Last used: 2 hours ago ." in text
    assert "Your username, your name and your handle" in text
    assert "Which groups of this platform you are in" in text
    assert "Remove all apps" not in text
    assert "Wiki" not in text


def test_app_whose_grant_ended_is_listed_until_it_is_removed(
    service: Service, laptop: Browser
) -> None:
    lets_in(service, laptop, "reader")
    service.rows("DELETE FROM provider_grants")

    assert "You are not signed in there now" in account(laptop).text
    page = account(laptop).presses(client="reader")

    assert isinstance(page, Page)
    assert "News Reader" not in page.text.partition("What happened here")[0]
    assert allowed(service) == set()


def test_remove_ends_grants_tokens_and_consent_of_that_app_alone(
    service: Service, laptop: Browser, bob: Browser, world: World
) -> None:
    lets_in(service, laptop, "reader")
    lets_in(service, laptop, "reader", scope=OFFLINE)
    wiki, bobs = lets_in(service, laptop, "wiki"), lets_in(service, bob, "reader")

    page = account(laptop).presses(client="reader")

    assert isinstance(page, Page)
    assert page.url == f"{HOME}{ACCOUNT}?done=apps"
    assert "That app has no access any more" in page.text
    assert "Removed an app: reader" in page.text
    assert laptop.is_signed_in()
    assert living(service) == {wiki, bobs}
    assert {client for _, client in allowed(service)} == {"wiki", "reader"}
    did = world.alice.did
    assert events(service, "app_removed") == [(did, {"client": "reader"})]


def test_remove_all_ends_those_of_this_person(
    service: Service, laptop: Browser, bob: Browser, world: World
) -> None:
    lets_in(service, laptop, "reader")
    lets_in(service, laptop, "wiki")
    bobs = lets_in(service, bob, "wiki")

    page = account(laptop).presses(all="1")

    assert isinstance(page, Page)
    assert "Apps you have allowed" not in page.text
    assert living(service) == {bobs}
    assert len(events(service, "app_removed")) == 2


@pytest.mark.parametrize(
    "fields", [{}, {"client": "unknown"}, {"client": ""}, {"all": ""}, {"client": "%"}]
)
def test_remove_of_no_app_of_the_person_changes_nothing(
    service: Service, laptop: Browser, fields: dict[str, str]
) -> None:
    grant = lets_in(service, laptop, "reader")

    page = removes(laptop, **fields)

    assert page.url == f"{HOME}{ACCOUNT}"
    assert living(service) == {grant}
    assert events(service, "app_removed") == []


def test_name_of_an_app_is_text_and_turns_nothing_round(
    service: Service, laptop: Browser
) -> None:
    registers(service, "evil", name="<b>Evil</b>")
    lets_in(service, laptop, "evil")

    page = account(laptop)

    assert "<b>Evil</b>" in page.text
    classes = [given.get("class") for tag, given in page.tags if tag == "strong"]
    assert "foreign" in classes


def test_apps_that_are_removed_twice_at_once_are_one_event(
    service: Service, laptop: Browser
) -> None:
    lets_in(service, laptop, "reader")
    barrier = threading.Barrier(2)

    def remove() -> None:
        window = service.browser()
        window.jar = laptop.jar
        barrier.wait()
        removes(window, client="reader")

    threads = [threading.Thread(target=remove) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(events(service, "app_removed")) == 1
    assert living(service) == set()


def test_own_data_names_the_apps_and_no_secret(
    service: Service, laptop: Browser
) -> None:
    lets_in(service, laptop, "reader", scope=OFFLINE)

    page = laptop.posts(f"{ACCOUNT}/data", {})

    assert isinstance(page, Page)
    [grant], [consent] = page.json["apps_signed_in"], page.json["apps_allowed"]
    assert grant["client_id"] == consent["client_id"] == "reader"
    assert grant["scope"] == consent["scope"] == OFFLINE
    assert not any("hash" in name or "successor" in name for name in grant)
