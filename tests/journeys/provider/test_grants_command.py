"""`grants list | end`, and what else ends or moves what people let apps have."""

from __future__ import annotations

import pytest

from tests.fakes.browser import Browser
from tests.fakes.world import World
from tests.journeys.people.commands import events, prints, runs
from tests.journeys.provider.apps import OFFLINE, allowed, lets_in, living, registers
from tests.service import Service
from tests.signed import signs_in

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"
BY_CAROL = {"operator": "carol", "reason": "leak"}


@pytest.fixture
def laptop(browser: Browser, service: Service) -> Browser:
    """A browser of Alice's, and a client."""
    signs_in(service, browser, ALICE, username="alice")
    registers(service, "app")
    return browser


@pytest.fixture
def bob(laptop: Browser, service: Service) -> Browser:
    return signs_in(service, service.browser(), BOB, username="bobby")


def test_list_shows_living_grants_of_all_of_one_person_or_of_one_client(
    service: Service, laptop: Browser, bob: Browser, world: World
) -> None:
    registers(service, "other")
    alices, bobs = lets_in(service, laptop, "app"), lets_in(service, bob, "other")

    found = prints(service, "grants", "list")

    [row] = [one for one in found if one["grant"] == alices]
    assert list(row) == [
        "grant",
        "client_id",
        "did",
        "username",
        "scope",
        "resource",
        "since",
        "used_at",
        "expires_at",
    ]
    assert (row["client_id"], row["did"]) == ("app", world.alice.did)
    assert (row["username"], row["scope"]) == ("alice", "openid profile")
    assert row["since"] == row["used_at"] < row["expires_at"]
    of_alice = prints(service, "grants", "list", "--of", f"@{ALICE}")
    assert [one["grant"] for one in of_alice] == [alices]
    of_other = prints(service, "grants", "list", "--client", "other")
    assert [one["grant"] for one in of_other] == [bobs]
    both = ("--of", "alice", "--client", "other")
    assert prints(service, "grants", "list", *both) == []
    assert runs(service, "grants", "list", "--client", "unknown").exit_code == 1
    assert runs(service, "grants", "list", "--of", "").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (("grant-app-0",), {"grant-other-1", "grant-app-2"}),
        (("--of", "alice"), {"grant-app-2"}),
        (("--client", "app"), {"grant-other-1"}),
        (("--of", "alice", "--client", "app"), {"grant-other-1", "grant-app-2"}),
    ],
)
def test_end_ends_what_is_named_and_is_audited(
    service: Service,
    laptop: Browser,
    bob: Browser,
    arguments: tuple[str, ...],
    left: set[str],
) -> None:
    registers(service, "other")
    lets_in(service, laptop, "app")
    lets_in(service, laptop, "other")
    lets_in(service, bob, "app")

    options = ("--yes", "--reason", "leak")
    [done] = prints(service, "grants", "end", *arguments, *options)

    assert done == {"grants_ended": 3 - len(left)}
    assert living(service) == left
    details = [detail for _, detail in events(service, "grant_ended")]
    assert len(details) == 3 - len(left)
    assert all({**BY_CAROL, "client": one["client"]} == one for one in details)
    assert len(allowed(service)) == 3


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 2),
        (("grant-app-0", "--of", "alice"), 2),
        (("-unknown", "--yes"), 1),
        (("--of", "nemo", "--yes"), 1),
        (("--of", "", "--yes"), 1),
        (("--client", "", "--yes"), 1),
        (("--of", "alice"), 1),
    ],
)
def test_end_without_one_target_or_an_answer_ends_nothing(
    service: Service, laptop: Browser, arguments: tuple[str, ...], code: int
) -> None:
    grant = lets_in(service, laptop, "app")

    assert runs(service, "grants", "end", *arguments).exit_code == code
    assert living(service) == {grant}


@pytest.mark.parametrize("command", ["disable", "remove"])
def test_client_that_is_closed_takes_its_grants_along(
    service: Service, laptop: Browser, command: str
) -> None:
    registers(service, "other")
    lets_in(service, laptop, "app", scope=OFFLINE)
    other = lets_in(service, laptop, "other")

    assert runs(service, "clients", command, "app", "--yes").exit_code == 0

    assert service.rows("SELECT grant_id FROM provider_grants") == [(other,)]
    clients = {client_id for _, client_id in allowed(service)}
    assert clients == ({"app", "other"} if command == "disable" else {"other"})
    assert len(events(service, "grant_ended")) == 1


def test_account_that_is_disabled_has_no_grants_when_it_is_enabled_again(
    service: Service, laptop: Browser
) -> None:
    lets_in(service, laptop, "app", scope=OFFLINE)

    assert runs(service, "users", "disable", "alice", "--yes").exit_code == 0
    assert runs(service, "users", "enable", "alice").exit_code == 0

    assert living(service) == set()


@pytest.mark.parametrize("how", ["sign-out", "sessions end", "another account"])
def test_end_of_the_session_ends_its_grants_but_offline_ones(
    service: Service, laptop: Browser, world: World, how: str
) -> None:
    lets_in(service, laptop, "app")
    offline = lets_in(service, laptop, "app", scope=OFFLINE)
    match how:
        case "sign-out":
            laptop.signs_out()
        case "sessions end":
            runs(service, "sessions", "end", "--of", "alice", "--yes")
        case _:
            laptop.opens_login(prompt="select_account").types(BOB).approves()

    assert living(service) == {offline}


def test_new_sign_in_of_the_same_person_keeps_the_grants(
    service: Service, laptop: Browser, world: World
) -> None:
    granted = {
        lets_in(service, laptop, "app"),
        lets_in(service, laptop, "app", scope=OFFLINE),
    }
    world.clock.advance(3600)
    before = laptop.visits("/auth/session").json["session_id"]

    laptop.opens_login(prompt="login").types(ALICE).approves()

    sid = laptop.visits("/auth/session").json["session_id"]
    assert sid != before
    assert living(service) == granted
    assert {
        one[0] for one in service.rows("SELECT session_id FROM provider_grants")
    } == {sid}


def test_deleted_account_leaves_neither_grant_nor_consent(
    service: Service, laptop: Browser, bob: Browser
) -> None:
    lets_in(service, laptop, "app", scope=OFFLINE)
    bobs = lets_in(service, bob, "app")

    assert runs(service, "users", "delete", "alice", "--yes").exit_code == 0

    assert service.rows("SELECT grant_id FROM provider_grants") == [(bobs,)]
    assert len(allowed(service)) == 1
