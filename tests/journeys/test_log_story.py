"""One search shows the whole story: the login_id of a login, on any node."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from app.telemetry.context import login_id_of
from tests.fakes.app import App, follows
from tests.fakes.browser import AtHost
from tests.fakes.faults import bad_gateway
from tests.service import HOME, Service, close
from tests.telemetry.logged import Collector, collected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fakes.world import World

ALICE = "alice.skyhost.social"
PLATFORM = HOME.partition("//")[2]


@pytest.fixture
def other_node(service: Service, world: World) -> Iterator[Callable[[], Service]]:
    """Another process on the same database, which serves from now on."""
    opened: list[Service] = []

    def open_other() -> Service:
        opened.append(Service(world, service.settings))
        return opened[-1]

    yield open_other
    for one in opened:
        close(one.app)


@pytest.fixture
def log() -> Iterator[Collector]:
    with collected(logging.DEBUG) as collector:
        yield collector


def paths(log: Collector, login_id: str) -> list[str]:
    """Return the routes of the requests of one login."""
    return [line["path"] for line in log.requests() if line.get("login_id") == login_id]


def messages(log: Collector, login_id: str) -> str:
    """Return what one search finds."""
    return "\n".join(
        line["message"] for line in log.lines if line.get("login_id") == login_id
    )


def login_ids(log: Collector) -> set[str]:
    return {line["login_id"] for line in log.lines if "login_id" in line}


def test_login_has_one_login_id_from_form_to_callback_on_two_nodes(
    service: Service, other_node: Callable[[], Service], log: Collector
):
    browser = service.browser()
    at_host = browser.opens_login().types(ALICE)
    other_node()
    at_host.approves()

    (login_id,) = login_ids(log)
    assert paths(log, login_id) == ["/auth/login", "/auth/callback", "/auth/signup"]
    story = messages(log, login_id)
    assert "GET alice.skyhost.social: 200" in story  # the look-up, on another thread
    assert "login started: handle at https://as.skyhost.social" in story
    assert "login finished: did:plc:" in story


def test_login_of_a_newcomer_keeps_its_login_id_through_the_sign_up_on_two_nodes(
    service: Service, other_node: Callable[[], Service], log: Collector
):
    browser = service.browser()
    page = browser.opens_login().types(ALICE).approves()
    assert not isinstance(page, AtHost)
    other_node()
    refused = page.submits(page.form_with("username"), username="admin")
    assert not isinstance(refused, AtHost)
    refused.chooses("alice")

    assert browser.is_signed_in()
    (login_id,) = login_ids(log)
    assert paths(log, login_id) == [
        "/auth/login",
        "/auth/callback",
        "/auth/signup",
        "/auth/signup",
        "/auth/signup",
    ]
    assert "signed up" in messages(log, login_id)


def test_native_login_of_a_newcomer_keeps_its_login_id_through_the_sign_up(
    service: Service, log: Collector
):
    app = App(service)
    app.starts(ALICE, app_name="Sketch")
    page = follows(service.browser(), app).approves()
    assert not isinstance(page, AtHost)
    page.chooses("alice").presses(decision="allow")
    app.token()

    (login_id,) = login_ids(log)
    assert [path for path in paths(log, login_id) if "result" not in path] == [
        "/auth/native/login",
        "/auth/native/open",
        "/auth/callback",
        "/auth/signup",
        "/auth/signup",
        "/auth/native/confirm",
        "/auth/native/confirm",
        "/auth/native/login/.../await",
    ]
    assert "signed up" in messages(log, login_id)


def test_login_has_did_and_sid_once_they_are_known(
    service: Service, world: World, log: Collector
):
    service.browser().signs_in(ALICE, username="alice")

    finished = [one for one in log.lines if "login finished" in one["message"]]
    (sid,) = {row[0] for row in service.rows("SELECT sid FROM sessions")}
    assert [(one["did"], one["sid"]) for one in finished] == [(world.alice.did, sid)]
    assert log.requests()[-1]["sid"] == sid


def test_login_that_is_tried_again_without_its_prompt_keeps_its_login_id(
    service: Service, log: Collector
):
    browser = service.browser()
    at_host = browser.opens_login(prompt="login").types(ALICE)
    url = at_host.page.sends_back("login_required").url
    again = browser.navigates("GET", url, site="cross-site")
    assert isinstance(again, AtHost)
    again.approves()

    (login_id,) = login_ids(log)
    assert paths(log, login_id)[:3] == [
        "/auth/login",
        "/auth/callback",
        "/auth/callback",
    ]


def test_two_logins_of_one_browser_have_two_login_ids(service: Service, log: Collector):
    browser = service.browser()
    browser.signs_in(ALICE, username="alice")
    browser.opens_login(prompt="login").types(ALICE).approves()

    assert len(login_ids(log)) == 2


def test_native_login_has_one_login_id_through_its_await_on_two_nodes(
    service: Service, other_node: Callable[[], Service], log: Collector
):
    service.browser().signs_in(ALICE, username="alice")
    browser, first = service.browser(), App(service)
    log.texts.clear()
    first.starts(ALICE, app_name="Sketch")
    at_host = follows(browser, first)
    second = other_node()
    page = at_host.approves()
    assert not isinstance(page, AtHost)
    page.presses(decision="allow")
    elsewhere = App(second)
    elsewhere.secret = first.secret
    elsewhere.token()
    elsewhere.acknowledges()

    (login_id,) = login_ids(log)
    assert [path for path in paths(log, login_id) if "result" not in path] == [
        "/auth/native/login",
        "/auth/native/open",
        "/auth/callback",
        "/auth/native/confirm",
        "/auth/native/confirm",
        "/auth/native/login/.../await",
        "/auth/native/login/.../await",
    ]
    story = messages(log, login_id)
    for event in ("started", "is proved", "allowed", "was delivered"):
        assert event in story


def test_reference_on_the_page_is_the_login_id_of_the_failure(
    service: Service, log: Collector
):
    service.world.network.lay("https://as.skyhost.social/oauth/par", bad_gateway())
    page = service.browser().opens_login().tries(ALICE)

    assert not isinstance(page, AtHost)
    (login_id,) = login_ids(log)
    assert page.error == "host_unreachable"
    assert login_id in page.text
    failure = next(line for line in log.lines if line.get("code"))
    assert failure["code"] == "host_unreachable"


def test_reference_of_a_failed_callback_is_the_login_id_of_its_form(
    service: Service, log: Collector
):
    page = service.browser().opens_login().types(ALICE).meets("server_error")

    (login_id,) = login_ids(log)
    assert login_id in page.text
    assert paths(log, login_id)[:2] == ["/auth/login", "/auth/callback"]
    (failure,) = [line for line in log.lines if "error" in line]
    assert failure["host"] == "as.skyhost.social"


def test_callback_in_another_browser_is_found_by_the_login_id_of_its_form(
    service: Service, log: Collector
):
    """That browser has no cookie: the auth request knows which login it was."""
    answer = service.browser().opens_login().types(ALICE).answer()
    page = service.browser().visits(answer)

    (login_id,) = login_ids(log)
    assert page.error == "wrong_browser"
    assert paths(log, login_id)[:2] == ["/auth/login", "/auth/callback"]


def test_login_id_opens_nothing(service: Service, log: Collector):
    """It is in the log and on pages: neither an await nor a link takes it."""
    app = App(service).starts(ALICE)
    secret = app.link.partition("login=")[2]
    (login_id,) = login_ids(log)

    app.secret = login_id
    link = service.browser().visits(f"/auth/native/open?login={login_id}")

    assert login_id == login_id_of(secret)
    assert app.asks().status == 404
    assert link.error == "login_expired"


def test_no_secret_of_a_whole_sign_in_is_logged(service: Service, log: Collector):
    browser = service.browser()
    browser.signs_in(ALICE, username="alice")
    native = App(service).starts(ALICE)
    page = follows(browser, native).approves()
    assert not isinstance(page, AtHost)
    page.presses(decision="allow")
    token = native.token()

    text = "".join(log.texts)
    secrets: list[Any] = [token, native.secret, native.link.partition("login=")[2]]
    secrets += [cookie.value for cookie in browser.jar if len(cookie.value) > 20]
    assert len(secrets) > 4
    assert not [secret for secret in secrets if secret in text]
