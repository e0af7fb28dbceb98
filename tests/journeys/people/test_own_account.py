"""The account page: rename, handle, permissions, events, download, other accounts."""

from __future__ import annotations

import threading

import pytest

from app.flows.sweep import ORPHAN_AGE
from tests.fakes import faults
from tests.fakes.browser import AtHost, Browser
from tests.fakes.page import Page
from tests.fakes.world import World
from tests.journeys.people.commands import events, runs
from tests.service import HOME, Service
from tests.signed import signs_in

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"
ACCOUNT = "/auth/account"
REVOKE = "https://as.skyhost.social/oauth/revoke"
DAY = 86_400
FORMS = {
    "/auth/account/username": {"username": "liddell"},
    "/auth/account/handle": {},
    "/auth/account/permissions": {"sid": "x", "permission": "blob:*/*"},
    "/auth/account/apps": {"all": "1"},
    "/auth/account/data": {},
    "/auth/username": {"username": "liddell"},
}


@pytest.fixture
def laptop(browser: Browser, service: Service) -> Browser:
    return signs_in(service, browser, ALICE, username="alice")


@pytest.fixture
def bob(laptop: Browser, service: Service) -> Browser:
    return signs_in(service, service.browser(), BOB, username="bobby")


def renames(browser: Browser, name: str) -> Page:
    page = browser.visits(ACCOUNT)
    arrived = page.submits(page.form_with("username"), username=name)
    assert isinstance(arrived, Page)
    return arrived


def username(browser: Browser) -> str:
    found: str = browser.visits("/auth/session").json["username"]
    return found


# --- the username -------------------------------------------------------------------


def test_rename_gives_a_token_with_the_new_name_and_is_an_event(
    laptop: Browser, service: Service
) -> None:
    page = renames(laptop, " Liddell ")

    assert page.url == f"{HOME}{ACCOUNT}?done=username"
    assert "Your username is liddell now" in page.text
    assert "Username changed: alice is now liddell" in page.text
    assert username(laptop) == "liddell"
    [(_, detail)] = events(service, "username_changed")
    assert detail == {"from": "alice", "to": "liddell"}


@pytest.mark.parametrize("name", ["alice", "a1ice", "allce", "ALICE"])
def test_former_name_and_its_look_alikes_are_held_against_others(
    laptop: Browser, bob: Browser, name: str
) -> None:
    renames(laptop, "liddell")

    page = renames(bob, name)

    assert page.error == "username_taken"
    assert username(bob) == "bobby"


@pytest.mark.parametrize("name", ["\u0430lice", "\uff41lice", "al\u200bice", "alice."])
def test_homograph_of_a_held_name_is_no_username(
    laptop: Browser, bob: Browser, name: str
) -> None:
    renames(laptop, "liddell")

    assert renames(bob, name).error == "username_invalid"


def test_second_rename_waits_for_username_changes(
    laptop: Browser, world: World
) -> None:
    renames(laptop, "liddell")
    form = {"username": "carroll"}
    page = laptop.posts(f"{ACCOUNT}/username", form)

    assert isinstance(page, Page)
    assert page.error == "invalid_request"
    assert "You can change your username again on" in page.text
    assert username(laptop) == "liddell"
    world.clock.advance(30 * DAY)
    laptop.signs_in(ALICE)
    assert renames(laptop, "alice").error is None  # held for its own account
    assert username(laptop) == "alice"


def test_rename_with_username_changes_off_is_refused(
    browser: Browser, open_service
) -> None:
    service = open_service(username_changes=None)
    laptop = signs_in(service, service.browser(), ALICE, username="alice")

    page = laptop.posts(f"{ACCOUNT}/username", {"username": "liddell"})

    assert page.error == "invalid_request"
    assert "Change your username" not in page.text
    assert username(laptop) == "alice"


def test_rename_in_two_windows_at_once_changes_the_name_once(
    laptop: Browser, service: Service
) -> None:
    statuses = []

    def tries(name: str) -> None:
        page = laptop.posts(f"{ACCOUNT}/username", {"username": name})
        statuses.append(page.status)

    windows = [threading.Thread(target=tries, args=(n,)) for n in ("carroll", "dodo")]
    for window in windows:
        window.start()
    for window in windows:
        window.join()

    assert sorted(statuses) == [200, 400]
    assert len(events(service, "username_changed")) == 1


@pytest.mark.parametrize(
    ("typed", "state"),
    [
        ("liddell", "free"),
        ("bobby", "taken"),
        ("b0bby", "taken"),
        ("admin", "reserved"),
        ("-", "invalid"),
        ("alice", "free"),
    ],
)
def test_name_check_says_free_taken_or_reserved_and_no_more(
    laptop: Browser, bob: Browser, typed: str, state: str
) -> None:
    page = laptop.posts(
        "/auth/username", {"username": typed}, accept="application/json"
    )

    assert isinstance(page, Page)
    assert page.json == {"username": typed, "state": state}


def test_name_check_without_a_session_is_refused(browser: Browser) -> None:
    page = browser.posts("/auth/username", {"username": "x"}, accept="application/json")

    assert isinstance(page, Page)
    assert page.status == 401


def test_name_check_has_a_limit(laptop: Browser) -> None:
    def check() -> int:
        fields = {"username": "liddell"}
        arrived = laptop.posts("/auth/username", fields, accept="application/json")
        assert isinstance(arrived, Page)
        return arrived.status

    assert {check() for _ in range(121)} == {200, 429}


# --- the handle ---------------------------------------------------------------------


def test_look_up_of_a_handle_that_changed_shows_the_new_one(
    laptop: Browser, service: Service, world: World
) -> None:
    service.rows("UPDATE users SET handle = 'old.skyhost.social'")
    laptop.visits(ACCOUNT)

    page = laptop.posts(f"{ACCOUNT}/handle", {})

    assert isinstance(page, Page)
    assert f"Your handle is {ALICE}" in page.text
    [(_, detail)] = events(service, "handle_changed")
    assert detail == {"from": "old.skyhost.social", "to": ALICE}
    assert laptop.visits("/auth/session").json["handle"] == ALICE


def test_look_up_that_fails_keeps_the_handle(
    laptop: Browser, service: Service, world: World
) -> None:
    world.network.lay(f"https://plc.directory/{world.alice.did}", faults.Refuses())

    page = laptop.posts(f"{ACCOUNT}/handle", {})

    assert isinstance(page, Page)
    assert page.error == "host_unreachable"
    assert service.rows("SELECT handle FROM users") == [(ALICE,)]


# --- permissions --------------------------------------------------------------------

SCOPE = "atproto repo:app.relay.track blob:image/*"


@pytest.fixture
def granted(open_service) -> Browser:
    """A browser whose grant has two permissions beyond the sign-in."""
    service = open_service(scope_max=SCOPE)
    return signs_in(service, service.browser(), ALICE, username="alice", scope=SCOPE)


def grants_one_permission(service: Service) -> Browser:
    scope = "atproto blob:image/*"
    return signs_in(service, service.browser(), ALICE, username="alice", scope=scope)


def sid_of(browser: Browser) -> str:
    sid: str = browser.visits("/auth/session").json["session_id"]
    return sid


def takes_back(browser: Browser, word: str) -> Page | AtHost:
    return browser.visits(ACCOUNT).presses(permission=word)


def test_permission_that_is_taken_back_is_asked_for_no_more(
    granted: Browser, world: World
) -> None:
    at_host = takes_back(granted, "blob:image/*")

    assert isinstance(at_host, AtHost)
    assert at_host.page.request.form["scope"] == "atproto repo:app.relay.track"
    assert world.skyhost.server.grants.alive(world.alice.did) == []
    page = at_host.approves()
    assert page.url == f"{HOME}{ACCOUNT}"
    assert "upload images" not in page.text.partition("What happened")[0]
    assert "app.relay.track" in page.text


def test_permission_taken_back_and_denied_at_the_host_leaves_no_access(
    granted: Browser, world: World
) -> None:
    at_host = takes_back(granted, "blob:image/*")
    assert isinstance(at_host, AtHost)

    page = at_host.denies()

    assert granted.is_signed_in()
    assert "has no access to your account" in page.text
    assert world.skyhost.server.grants.alive(world.alice.did) == []
    again = granted.visits(next(link for link in page.links if "prompt=login" in link))
    asked = again.presses(identifier=world.alice.did)
    assert isinstance(asked, AtHost)
    assert "blob" not in asked.page.request.form["scope"]


def test_last_permission_taken_back_needs_no_visit_to_the_host(
    open_service, world: World
) -> None:
    service = open_service(scope_max=SCOPE)
    browser = grants_one_permission(service)

    page = takes_back(browser, "blob:image/*")

    assert isinstance(page, Page)
    assert "Taken back" in page.text
    assert browser.is_signed_in()
    assert world.skyhost.server.grants.alive(world.alice.did) == []


def test_sweep_revokes_the_grant_whose_host_was_down_as_a_permission_was_taken_back(
    open_service, world: World
) -> None:
    service = open_service(scope_max=SCOPE)
    browser = grants_one_permission(service)
    world.network.lay(REVOKE, faults.Refuses())

    takes_back(browser, "blob:image/*")

    assert browser.is_signed_in()
    assert service.rows("SELECT oauth_session_id FROM sessions") == [(None,)]
    assert world.skyhost.server.grants.alive(world.alice.did)
    world.network.mend(REVOKE)
    world.clock.advance(ORPHAN_AGE)
    assert runs(service, "sweep").exit_code == 0
    assert world.skyhost.server.grants.alive(world.alice.did) == []
    assert service.rows("SELECT did FROM oauth_sessions") == []
    assert browser.is_signed_in()


def test_permission_of_another_person_cannot_be_taken_back(
    open_service, world: World
) -> None:
    service = open_service(scope_max=SCOPE)
    granted, bob = service.browser(), service.browser()
    granted.signs_in(ALICE, username="alice", scope=SCOPE)
    bob.signs_in(BOB, username="bobby")
    fields = {"sid": sid_of(granted), "permission": "blob:image/*"}
    before = service.rows("SELECT granted_scope FROM sessions ORDER BY sid")

    bob.posts(f"{ACCOUNT}/permissions", fields)

    assert service.rows("SELECT granted_scope FROM sessions ORDER BY sid") == before
    assert len(world.skyhost.server.grants.alive(world.alice.did)) == 1
    assert "upload images" in granted.visits(ACCOUNT).text


@pytest.mark.parametrize("word", ["", "atproto", "blob:*/*", "' OR 1=1"])
def test_unknown_permission_taken_back_changes_nothing(
    granted: Browser, world: World, word: str
) -> None:
    fields = {"sid": sid_of(granted), "permission": word}
    granted.posts(f"{ACCOUNT}/permissions", fields)

    assert len(world.skyhost.server.grants.alive(world.alice.did)) == 1


# --- events, download, other accounts -----------------------------------------------


def test_own_events_go_on_page_by_page(
    laptop: Browser, bob: Browser, service: Service
) -> None:
    [(did,)] = service.rows("SELECT did FROM users WHERE username = 'alice'")
    for number in range(60):
        service.rows(
            "INSERT INTO audit_events VALUES (?, 'signed_in', ?, NULL, '{}', 1)",
            f"{number:014x}",
            did,
        )

    first = laptop.visits(f"{ACCOUNT}/events")
    second = laptop.visits(next(link for link in first.links if "before=" in link))

    assert first.html.count("<li>") == 50
    assert 10 <= second.html.count("<li>") <= 14
    assert not [link for link in second.links if "before=" in link]
    assert bob.visits(f"{ACCOUNT}/events").html.count("<li>") < 5


def test_own_events_without_a_session_lead_to_login_and_back(browser: Browser) -> None:
    page = browser.visits(f"{ACCOUNT}/events")

    assert page.url.endswith("/auth/login?return_to=/auth/account/events")


def test_download_has_own_rows_and_no_secret(
    laptop: Browser, bob: Browser, service: Service
) -> None:
    page = laptop.posts(f"{ACCOUNT}/data", {})

    assert isinstance(page, Page)
    assert page.headers["Content-Disposition"].startswith("attachment")
    stored = page.json
    assert stored["account"][0]["username"] == "alice"
    assert len(stored["sessions"]) == len(stored["access_at_hosts"]) == 1
    assert "bobby" not in page.html
    [(encrypted,)] = service.rows(
        "SELECT secrets FROM oauth_sessions WHERE did = ?", stored["did"]
    )
    assert encrypted not in page.html
    cookies = [cookie.value for cookie in laptop.jar if cookie.value]
    assert not [value for value in cookies if value in page.html]


def test_download_of_too_many_rows_has_the_latest_and_says_so(
    laptop: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.flows.account.data.MOST_ROWS", 1)

    page = laptop.posts(f"{ACCOUNT}/data", {})

    assert isinstance(page, Page)
    assert len(page.json["events"]) == 1
    assert page.json["cut"] == ["events"]


def test_another_account_of_this_device_is_one_press_away(
    laptop: Browser, service: Service
) -> None:
    laptop.signs_in(BOB, username="bobby", prompt="select_account")
    page = laptop.visits(ACCOUNT)

    at_host = page.presses(identifier=ALICE)

    assert isinstance(at_host, AtHost)
    at_host.approves()
    assert username(laptop) == "alice"
    live = service.rows("SELECT count(*) FROM sessions WHERE ended_at IS NULL")
    assert live == [(1,)]


# --- every form of the page -----------------------------------------------------------


@pytest.mark.parametrize("path", FORMS)
def test_form_of_another_site_is_refused(
    laptop: Browser, service: Service, path: str
) -> None:
    before = service.rows("SELECT count(*) FROM audit_events")
    page = laptop.posts(
        path, FORMS[path], origin="https://evil.example", site="cross-site"
    )

    assert isinstance(page, Page)
    assert page.error == "cross_site"
    assert username(laptop) == "alice"
    assert service.rows("SELECT count(*) FROM audit_events") == before


@pytest.mark.parametrize("path", [path for path in FORMS if path.startswith(ACCOUNT)])
def test_form_without_a_session_leads_to_login(browser: Browser, path: str) -> None:
    page = browser.posts(path, FORMS[path])

    assert page.url.startswith(f"{HOME}/auth/login")
