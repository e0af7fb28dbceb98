"""`sessions`: which ones live, and the end of one, of an account's, of everybody's."""

from __future__ import annotations

import pytest

from tests.fakes.app import App, confirms, follows
from tests.fakes.browser import Browser
from tests.fakes.world import World
from tests.journeys.people.commands import events, prints, runs
from tests.service import Service
from tests.signed import signs_in

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"
BY_CAROL = {"operator": "carol", "reason": "leak"}


@pytest.fixture
def laptop(browser: Browser, service: Service) -> Browser:
    return signs_in(service, browser, ALICE, username="alice")


@pytest.fixture
def phone(laptop: Browser, service: Service) -> Browser:
    """A second device of the same person."""
    return signs_in(service, service.browser(), ALICE)


@pytest.fixture
def bob(laptop: Browser, service: Service) -> Browser:
    return signs_in(service, service.browser(), BOB, username="bobby")


def sid_of(browser: Browser) -> str:
    sid: str = browser.visits("/auth/session").json["session_id"]
    return sid


def test_list_prints_the_sessions_of_everybody_or_of_one(
    service: Service, phone: Browser, bob: Browser, world: World
) -> None:
    assert len(prints(service, "sessions", "list")) == 3
    mine = prints(service, "sessions", "list", "alice")

    assert {one["did"] for one in mine} == {world.alice.did}
    assert sid_of(phone) in {one["sid"] for one in mine}
    assert {one["host"] for one in mine} == {"https://as.skyhost.social"}
    assert {one["device"] for one in mine} == {"Firefox on Linux"}
    assert all("Mozilla/5.0" in one["user_agent"] for one in mine)


def test_list_as_a_table_names_devices_and_prints_no_user_agent(
    service: Service, laptop: Browser
) -> None:
    printed = runs(service, "sessions", "list").stdout

    assert "Firefox on Linux" in printed
    assert "USER AGENT" not in printed
    assert "Mozilla" not in printed


def test_list_says_when_it_shows_a_part(service: Service, phone: Browser) -> None:
    result = runs(service, "sessions", "list", "--limit", "1")

    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 2
    assert "There are more" in result.stderr


def test_list_names_the_app_that_holds_a_session(
    service: Service, laptop: Browser
) -> None:
    app = App(service)
    app.starts(ALICE, app_name="Sketch")
    confirms(service.browser(), app)

    assert "Sketch" in {one["app"] for one in prints(service, "sessions", "list")}


def test_end_of_one_session_leaves_the_others(
    service: Service, laptop: Browser, phone: Browser, world: World
) -> None:
    sid = sid_of(phone)
    asked = runs(service, "sessions", "end", sid, answer="n\n").output
    assert f"{sid} of {world.alice.did} (Firefox on Linux) ends" in asked

    [done] = prints(service, "sessions", "end", sid, "--yes", "--reason", "leak")

    assert done == {"sessions_ended": 1}
    assert not phone.is_signed_in()
    assert laptop.is_signed_in()
    assert len(world.skyhost.server.grants.alive(world.alice.did)) == 1
    assert events(service, "session_ended") == [(world.alice.did, BY_CAROL)]
    gone = runs(service, "sessions", "end", sid)
    assert (gone.exit_code, gone.output) == (1, f"Error: no live session is {sid!r}\n")


def test_end_of_an_account_leaves_other_people(
    service: Service, laptop: Browser, phone: Browser, bob: Browser, world: World
) -> None:
    [done] = prints(service, "sessions", "end", "--of", f"@{ALICE}", "--yes")

    assert done == {"sessions_ended": 2}
    assert [b.is_signed_in() for b in (laptop, phone, bob)] == [False, False, True]
    assert world.skyhost.server.grants.alive(world.alice.did) == []
    laptop.signs_in(ALICE)
    assert laptop.is_signed_in()


def test_end_of_a_did_without_an_account_ends_its_sign_up(
    service: Service, world: World
) -> None:
    browser = service.browser()
    page = browser.opens_login().types(ALICE).approves()

    [done] = prints(service, "sessions", "end", "--of", world.alice.did, "--yes")

    assert done == {"sessions_ended": 1}
    assert page.chooses("alice").form_with("identifier")


def test_end_of_everybody_signs_all_out_and_denies_waiting_apps(
    service: Service, laptop: Browser, phone: Browser, bob: Browser, world: World
) -> None:
    app = App(service)
    app.starts(ALICE)
    follows(service.browser(), app).approves()

    [done] = prints(
        service, "sessions", "end", "--everybody", "--yes", "--reason", "leak"
    )

    assert done == {"sessions_ended": 4}
    assert [b.is_signed_in() for b in (laptop, phone, bob)] == [False] * 3
    assert app.status() == "denied"
    assert events(service, "all_sessions_ended") == [
        (None, {**BY_CAROL, "sessions": 4})
    ]
    assert len(events(service, "session_ended")) == 4


def test_sweep_revokes_the_grants_after_the_end_of_everybody(
    service: Service, laptop: Browser, bob: Browser, world: World
) -> None:
    runs(service, "sessions", "end", "--everybody", "--yes")
    assert len(world.skyhost.server.grants.alive(world.alice.did)) == 1
    world.clock.advance(3601)

    runs(service, "sweep")

    assert world.skyhost.server.grants.alive(world.alice.did) == []
    assert world.skyhost.server.grants.alive(world.bob.did) == []


@pytest.mark.parametrize("which", [("--everybody",), ("--of", "alice"), ("SID",)])
def test_end_asks_first_and_does_nothing_without_a_yes(
    service: Service, laptop: Browser, which: tuple[str, ...]
) -> None:
    sid = sid_of(laptop)
    arguments = [sid if one == "SID" else one for one in which]

    result = runs(service, "sessions", "end", *arguments, answer="n\n")

    assert result.exit_code == 1
    assert "end" in result.stderr
    assert laptop.is_signed_in()


@pytest.mark.parametrize(
    "arguments", [(), ("sid", "--everybody"), ("--of", "alice", "--everybody")]
)
def test_end_of_nothing_or_of_two_things_is_wrong_usage(
    service: Service, laptop: Browser, arguments: tuple[str, ...]
) -> None:
    assert runs(service, "sessions", "end", *arguments, "--yes").exit_code == 2
    assert laptop.is_signed_in()
