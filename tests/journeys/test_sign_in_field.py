"""The sign-in field: what is no handle is named, accounts are suggested, looked up."""

from __future__ import annotations

import json

import pytest

from tests.fakes.browser import AtHost, Browser
from tests.fakes.page import Page
from tests.fakes.world import World
from tests.journeys.people.commands import runs
from tests.service import HOME, Service
from tests.signed import signs_in

ALICE = "alice.skyhost.social"
TYPEAHEAD = "https://api.skyhost.social/search"
AVATAR = "https://images.skyhost.social/img/avatar/plain/alice@jpeg"
JPEG = b"\xff\xd8\xff\xe0 a picture"


def image_server(environ, start_response):
    """Serve any picture, as a page with a cookie."""
    headers = [("Content-Type", "text/html"), ("Set-Cookie", "tracks=you")]
    start_response("200 OK", headers)
    return [JPEG]


class Typeahead:
    """An endpoint of the searchActorsTypeahead kind."""

    def __call__(self, environ, start_response):
        actors = [{"handle": ALICE, "displayName": "Alice", "avatar": AVATAR}]
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"actors": actors}).encode()]


def asks(browser: Browser, path: str, **fields: str) -> Page:
    page = browser.posts(path, fields, accept="application/json")
    assert isinstance(page, Page)
    return page


@pytest.mark.parametrize("typed", ["alice@gmail.com", "alice@skyhost.social"])
def test_email_is_answered_with_the_handle_and_a_host_that_takes_it(
    visitor: Browser, typed: str
) -> None:
    page = visitor.opens_login().tries(typed)

    assert isinstance(page, Page)
    assert page.error == "invalid_identifier"
    assert "where you can sign in with your e-mail address" in page.text
    arrived = page.presses(identifier="https://as.skyhost.social")
    assert isinstance(arrived, AtHost)


def test_fediverse_address_is_named_as_one(visitor: Browser) -> None:
    page = visitor.opens_login().tries("@alice@mastodon.example")

    assert isinstance(page, Page)
    assert page.error == "invalid_identifier"
    assert "That is a fediverse address" in page.text
    assert "e-mail" not in page.text


def test_examples_of_one_page_agree(visitor: Browser, open_service) -> None:
    page = open_service(handle_suffix=".skyhost.social").browser().opens_login()

    answered = page.tries("alice@gmail.com")

    assert isinstance(answered, Page)
    assert "alice.bsky.social" not in answered.text
    assert answered.text.count("alice.skyhost.social") == 2


def test_accounts_are_suggested_through_us(open_service, world: World) -> None:
    world.network.serve("api.skyhost.social", Typeahead())
    browser = open_service(typeahead_url=TYPEAHEAD).browser()

    page = asks(browser, "/auth/accounts", q="@ali")

    [account] = page.json["accounts"]
    assert (account["handle"], account["name"]) == (ALICE, "Alice")
    assert account["avatar"].startswith("/auth/avatar?")
    assert 'data-typeahead="/auth/accounts"' in browser.opens_login().html
    [sent] = world.network.sent(host="api.skyhost.social")
    assert browser.address not in str(sent.headers)
    assert "Cookie" not in sent.headers


def test_avatar_is_fetched_by_us_and_served_as_an_image_alone(
    open_service, world: World
) -> None:
    world.network.serve("api.skyhost.social", Typeahead())
    world.network.serve("images.skyhost.social", image_server)
    browser = open_service(typeahead_url=TYPEAHEAD).browser()
    [account] = asks(browser, "/auth/accounts", q="ali").json["accounts"]

    answer = browser.requests("GET", HOME + account["avatar"], headers={})
    forged = browser.requests("GET", HOME + account["avatar"] + "0", headers={})

    assert (answer.status, answer.body) == (200, JPEG)
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert "Set-Cookie" not in answer.headers
    assert forged.status == 404
    [sent] = world.network.sent(host="images.skyhost.social")
    assert sent.url.endswith("/img/avatar_thumbnail/plain/alice@jpeg")
    assert not {"Cookie", "Referer"} & set(sent.headers)


def test_without_typeahead_url_the_page_suggests_nothing(visitor: Browser) -> None:
    assert "data-typeahead" not in visitor.opens_login().html
    assert asks(visitor, "/auth/accounts", q="ali").json == {"accounts": []}


def test_look_up_ahead_leaves_one_request_to_the_sign_in(
    browser: Browser, world: World
) -> None:
    page = browser.opens_login()
    assert asks(browser, "/auth/lookup", identifier=ALICE).status == 204
    world.network.forget()

    page.types(ALICE)

    asked = [sent.url for sent in world.network.sent()]
    assert asked
    assert all("/oauth/par" in url for url in asked), asked


def test_look_up_ahead_says_nothing_about_an_account(visitor: Browser) -> None:
    for typed in ("unknown.skyhost.social", "alice@gmail.com", ""):
        page = asks(visitor, "/auth/lookup", identifier=typed)
        assert (page.status, page.html) == (204, "")


# --- sessions that ended elsewhere ----------------------------------------------------


@pytest.fixture
def laptop(browser: Browser, service: Service) -> Browser:
    return signs_in(service, browser, ALICE, username="alice")


def test_session_ended_from_another_device_is_told_so_once(
    laptop: Browser, service: Service
) -> None:
    phone = signs_in(service, service.browser(), ALICE)
    phone.posts("/auth/account", {"end": "others"})

    page = laptop.visits("/auth/account")

    assert page.url.startswith(f"{HOME}/auth/login")
    assert "You were signed out here" in page.text
    assert "from Firefox on Linux on 21 September 2026, 14:13 UTC" in page.text
    assert 'datetime="2026-09-21T14:13:20Z" data-zone="UTC"' in page.html
    assert phone.address not in page.text
    assert "You were signed out here" not in laptop.opens_login().text


def test_page_that_is_loaded_ahead_does_not_use_the_notice_up(
    laptop: Browser, service: Service
) -> None:
    phone = service.browser()
    phone.signs_in(ALICE)
    phone.posts("/auth/account", {"end": "others"})
    laptop.visits("/auth/login", headers={"Sec-Purpose": "prefetch"})

    assert "You were signed out here" in laptop.opens_login().text


def test_name_of_the_device_that_ended_a_session_is_text_and_nothing_else(
    laptop: Browser, service: Service
) -> None:
    phone = signs_in(service, service.browser(), ALICE)
    device = "UPDATE sessions SET device = '<script>%s</script>' WHERE sid = ?"
    service.rows(device, phone.visits("/auth/session").json["session_id"])
    phone.posts("/auth/account", {"end": "others"})

    page = laptop.opens_login()

    assert "It was done from <script>%s</script> on" in page.text
    assert "<script>%s" not in page.html


def test_session_ended_by_an_operator_names_no_operator(
    laptop: Browser, service: Service
) -> None:
    runs(service, "sessions", "end", "--of", "alice", "--yes", "--reason", "told")

    text = laptop.opens_login().text

    assert "The people who run The Platform ended this session" in text
    assert "told" not in text
    assert "carol" not in text


def test_own_sign_out_and_a_stranger_get_no_explanation(
    laptop: Browser, service: Service
) -> None:
    laptop.signs_out()

    assert "You were signed out here" not in laptop.opens_login().text
    assert "You were signed out here" not in service.browser().opens_login().text
