"""`users`: what an operator asks and does, and what the person meets afterwards."""

from __future__ import annotations

import jwt
import pytest

from app.flows.sessions.verify import CACHE_LIFETIME
from app.flows.sweep import MAX_RUNS, ORPHAN_AGE, REVOKED_WITHIN
from tests.fakes import faults
from tests.fakes.browser import Browser
from tests.fakes.network import FakeNetwork
from tests.fakes.page import Page
from tests.fakes.world import World
from tests.journeys.people.commands import events, prints, runs
from tests.service import HOME, Service
from tests.signed import signs_in

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"
REASON = ("--reason", "spam")
BY_CAROL = {"operator": "carol", "reason": "spam"}


@pytest.fixture
def laptop(browser: Browser, service: Service) -> Browser:
    return signs_in(service, browser, ALICE, username="alice")


@pytest.fixture
def bob(laptop: Browser, service: Service) -> Browser:
    return signs_in(service, service.browser(), BOB, username="bobby")


def bearer(browser: Browser) -> dict[str, str]:
    token = browser.jar.get("platform_token")
    assert token is not None
    return {"Authorization": f"Bearer {token.value}"}


# --- list and show --------------------------------------------------------------------


def test_list_prints_accounts_by_username(service: Service, bob: Browser) -> None:
    first, second = prints(service, "users", "list")

    assert (first["username"], second["username"]) == ("alice", "bobby")
    assert first["handle"] == ALICE
    assert first["disabled"] is None
    assert first["created"].endswith("Z")


@pytest.mark.parametrize("text", ["bob", "BOBBY", BOB, f"@{BOB}"])
def test_list_with_search_finds_a_part_of_username_or_handle(
    service: Service, bob: Browser, text: str
) -> None:
    assert [
        one["username"] for one in prints(service, "users", "list", "--search", text)
    ] == ["bobby"]


@pytest.mark.parametrize("text", ["%", "_", "\\", "'; DROP TABLE users --"])
def test_list_with_special_characters_finds_nothing(
    service: Service, bob: Browser, text: str
) -> None:
    assert prints(service, "users", "list", "--search", text) == []


def test_list_with_disabled_prints_disabled_accounts_alone(
    service: Service, bob: Browser
) -> None:
    runs(service, "users", "disable", "bobby", "--yes")

    assert [
        one["username"] for one in prints(service, "users", "list", "--disabled")
    ] == ["bobby"]


def test_list_prints_a_table_for_people(service: Service, laptop: Browser) -> None:
    head, row = runs(service, "users", "list").output.splitlines()

    assert head.split()[:3] == ["USERNAME", "DID", "HANDLE"]
    assert row.startswith("alice ")


def test_show_finds_who_by_username_handle_or_did(
    service: Service, laptop: Browser, world: World
) -> None:
    for who in ("alice", "Alice", f"@{ALICE}", world.alice.did):
        [shown] = prints(service, "users", "show", who)
        assert shown["did"] == world.alice.did
        assert shown["sessions"] == 1
        assert shown["host"] == "https://as.skyhost.social"


@pytest.mark.parametrize(
    "who", ["carol", "@carol.example.com", "did:plc:x", "", "@", "did:plc:" + "a" * 24]
)
def test_show_of_an_unknown_account_is_refused_in_one_line(
    service: Service, laptop: Browser, who: str
) -> None:
    result = runs(service, "users", "show", who)

    assert result.exit_code == 1
    assert len(result.output.splitlines()) == 1
    assert "WHO is a username, @handle or DID" in result.output


def test_handle_of_two_accounts_is_refused_and_names_both(
    service: Service, bob: Browser, world: World
) -> None:
    """A handle may have gone to another person since it was noted."""
    service.rows("UPDATE users SET handle = ?", ALICE)

    result = runs(service, "users", "disable", f"@{ALICE}", "--yes")

    assert result.exit_code == 1
    assert world.alice.did in result.output
    assert world.bob.did in result.output
    assert service.rows("SELECT count(*) FROM users WHERE disabled_at IS NULL") == [
        (2,)
    ]


# --- disable and enable ---------------------------------------------------------------


def test_disable_asks_first_and_does_nothing_without_a_yes(
    service: Service, laptop: Browser
) -> None:
    result = runs(service, "users", "disable", "alice", answer="n\n")

    assert result.exit_code == 1
    assert "1 session ends" in result.output
    assert "up to 1 day" in result.output
    assert laptop.is_signed_in()


def test_disable_ends_sessions_and_revokes_grants(
    service: Service, laptop: Browser, bob: Browser, world: World
) -> None:
    phone = signs_in(service, service.browser(), ALICE)

    [done] = prints(service, "users", "disable", "alice", "--yes", *REASON)

    assert done == {
        "username": "alice",
        "did": world.alice.did,
        "sessions_ended": 2,
        "apps_denied": 0,
    }
    assert not laptop.is_signed_in()
    assert not phone.is_signed_in()
    assert bob.is_signed_in()
    assert world.skyhost.server.grants.alive(world.alice.did) == []
    assert events(service, "account_disabled") == [(world.alice.did, BY_CAROL)]
    assert events(service, "session_ended") == [(world.alice.did, BY_CAROL)] * 2


@pytest.mark.parametrize("command", ["disable", "delete"])
def test_services_that_verify_offline_learn_the_ended_session(
    service: Service, laptop: Browser, command: str
) -> None:
    sid = laptop.visits("/auth/session").json["session_id"]

    runs(service, "users", command, "alice", "--yes")

    feed = service.get("/auth/revocations").body.decode()
    claims = jwt.decode(feed, options={"verify_signature": False})
    assert sid in claims["sessions"]


def test_disable_reaches_the_verify_cache_of_other_processes_in_time(
    service: Service, laptop: Browser, world: World
) -> None:
    """The command tells the cache of this process as little as that of another node."""
    headers = bearer(laptop)
    assert service.get("/auth/verify", **headers).status == 200

    runs(service, "users", "disable", "alice", "--yes")
    world.clock.advance(CACHE_LIFETIME)

    assert service.get("/auth/verify", **headers).status == 401
    assert CACHE_LIFETIME < 10


def test_sign_in_of_a_disabled_account_shows_a_polite_page(
    service: Service, laptop: Browser, world: World
) -> None:
    runs(service, "users", "disable", "alice", "--yes")

    page = service.browser().opens_login().types(ALICE).approves()

    assert page.status == 403
    assert page.error == "account_disabled"
    assert "The Platform" in page.text
    assert world.skyhost.server.grants.alive(world.alice.did) == []


def test_disable_while_the_host_is_down_ends_the_sessions(
    service: Service, laptop: Browser, world: World
) -> None:
    world.network.lay("https://as.skyhost.social/oauth/revoke", faults.Refuses())

    [done] = prints(service, "users", "disable", "alice", "--yes")

    assert done["sessions_ended"] == 1
    assert not laptop.is_signed_in()


def test_disable_again_changes_nothing(service: Service, laptop: Browser) -> None:
    runs(service, "users", "disable", "alice", "--yes")

    [again] = prints(service, "users", "disable", "alice", "--yes")

    assert again["sessions_ended"] == 0
    assert len(events(service, "account_disabled")) == 1


def test_enable_lets_the_account_sign_in_and_revives_no_session(
    service: Service, laptop: Browser, world: World
) -> None:
    headers = bearer(laptop)
    runs(service, "users", "disable", "alice", "--yes")
    # As a sign-in that was under way would have stored it.
    service.rows("UPDATE sessions SET ended_at = NULL")

    [done] = prints(service, "users", "enable", "alice", *REASON)

    assert done["changed"] is True
    assert service.get("/auth/session", **headers).status == 401
    assert not laptop.is_signed_in()
    laptop.signs_in(ALICE)
    assert laptop.is_signed_in()
    assert events(service, "account_enabled") == [(world.alice.did, BY_CAROL)]


def test_enable_of_an_enabled_account_leaves_its_sessions(
    service: Service, laptop: Browser
) -> None:
    [done] = prints(service, "users", "enable", "alice")

    assert done["changed"] is False
    assert laptop.is_signed_in()


# --- rename ---------------------------------------------------------------------------


def test_rename_changes_the_name_in_new_tokens_and_holds_the_former(
    service: Service, laptop: Browser, bob: Browser, world: World
) -> None:
    [done] = prints(service, "users", "rename", "alice", "Liddell", *REASON)

    assert (done["former"], done["username"]) == ("alice", "liddell")
    laptop.visits("/auth/login")
    assert laptop.visits("/auth/session").json["username"] == "liddell"
    refused = runs(service, "users", "rename", "bobby", "a1ice")
    assert refused.exit_code == 1
    assert "is taken" in refused.output
    refused = runs(service, "users", "rename", "bobby", "Bad Name")
    assert refused.exit_code == 1
    assert "a-z, 0-9 and single hyphens" in refused.output
    [(did, detail)] = events(service, "username_changed")
    assert did == world.alice.did
    assert detail == {**BY_CAROL, "from": "alice", "to": "liddell"}


def test_held_username_is_free_for_its_account_at_once_and_for_others_later(
    service: Service, laptop: Browser, bob: Browser, world: World
) -> None:
    runs(service, "users", "rename", "alice", "liddell")
    assert runs(service, "users", "rename", "liddell", "alice").exit_code == 0
    runs(service, "users", "rename", "alice", "liddell")
    world.clock.advance(90 * 86_400)

    assert runs(service, "users", "rename", "bobby", "alice").exit_code == 0


def test_rename_to_a_name_in_use_is_refused(service: Service, bob: Browser) -> None:
    result = runs(service, "users", "rename", "bobby", "alice")

    assert result.exit_code == 1
    assert prints(service, "users", "show", "bobby")


@pytest.mark.parametrize("name", ["al", "-alice", "al ice", "älice", ""])
def test_rename_to_an_impossible_name_is_refused(
    service: Service, laptop: Browser, name: str
) -> None:
    assert runs(service, "users", "rename", "alice", "--", name).exit_code == 1


def test_rename_to_a_look_alike_of_itself_works(
    service: Service, laptop: Browser
) -> None:
    [done] = prints(service, "users", "rename", "alice", "a1ice")

    assert done["username"] == "a1ice"
    assert service.rows("SELECT count(*) FROM username_holds") == [(0,)]


# --- delete ---------------------------------------------------------------------------


def test_delete_removes_everything_of_the_did(
    service: Service, laptop: Browser, bob: Browser, world: World
) -> None:
    runs(service, "users", "rename", "alice", "liddell")
    service.browser().opens_login().types(ALICE)  # a login that waits for its callback

    [done] = prints(service, "users", "delete", "liddell", "--yes", *REASON)

    assert done["username"] == "liddell"
    assert (done["sessions_ended"], done["grants"], done["grants_revoked"]) == (1, 1, 1)
    assert world.skyhost.server.grants.alive(world.alice.did) == []
    # What services are told: which account to delete on their side, for 30 days.
    assert found_in(service, world.alice.did) == ["service_events"]
    assert found_in(service, ALICE) == []
    assert events(service, "account_deleted") == [(done["audit_mark"], BY_CAROL)]
    assert not laptop.is_signed_in()
    assert bob.is_signed_in()


def test_delete_leaves_a_grant_whose_host_is_down_until_the_sweep_gives_it_up(
    service: Service, laptop: Browser, network: FakeNetwork, world: World
) -> None:
    network.lay("https://as.skyhost.social/oauth/revoke", faults.Refuses())

    runs(service, "users", "delete", "alice", "--yes")

    assert found_in(service, world.alice.did) == ["oauth_sessions", "service_events"]
    world.clock.advance(ORPHAN_AGE)
    for _ in range(MAX_RUNS):
        runs(service, "sweep")
    world.clock.advance(REVOKED_WITHIN)
    runs(service, "sweep")
    assert found_in(service, world.alice.did) == ["service_events"]


def found_in(service: Service, text: str) -> list[str]:
    """Return the tables in which a text stands."""
    tables = service.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
    return [
        name
        for (name,) in tables
        if text in repr(service.rows(f"SELECT * FROM {name}"))  # noqa: S608
    ]


def test_delete_asks_first_and_does_nothing_without_a_yes(
    service: Service, laptop: Browser
) -> None:
    result = runs(service, "users", "delete", "alice", answer="\n")

    assert result.exit_code == 1
    assert "cannot be undone" in result.output
    assert "90 days" in result.output
    assert laptop.is_signed_in()


def test_deleted_username_is_held_even_for_the_same_did(
    service: Service, laptop: Browser, bob: Browser, world: World
) -> None:
    runs(service, "users", "delete", "alice", "--yes")

    page = service.browser().opens_login().types(ALICE).approves()
    assert page.form_with("username").fields["username"] != "alice"
    again = page.chooses("alice")
    assert again.error == "username_taken"
    assert runs(service, "users", "rename", "bobby", "alice").exit_code == 1

    world.clock.advance(90 * 86_400)
    page = service.browser().opens_login().types(ALICE).approves()
    assert page.chooses("alice").url == f"{HOME}/auth/account"


def test_sign_up_after_a_deletion_is_a_new_account(
    service: Service, laptop: Browser, world: World
) -> None:
    runs(service, "users", "delete", "alice", "--yes")

    page = laptop.signs_in(ALICE, username="liddell")

    assert isinstance(page, Page)
    assert laptop.is_signed_in()
    [shown] = prints(service, "users", "show", world.alice.did)
    assert shown["username"] == "liddell"
