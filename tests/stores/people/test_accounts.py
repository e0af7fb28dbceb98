"""The operator's side of accounts: find, disable, rename, and holds on usernames."""

from __future__ import annotations

import pytest

from app.flows.errors import UsernameTaken
from tests.fakes.clock import NOON
from tests.stores.samples import ALICE, BOB, user

HELD = 90 * 86_400.0


@pytest.fixture
def alice(users):
    return users.add(user(), skeleton="allce")


@pytest.fixture
def bob(users, alice):
    return users.add(user(did=BOB, username="bob", handle="bob_1.test"), skeleton="bob")


def renames(accounts, whom, username, skeleton, *, now=NOON):
    accounts.rename(whom, username, skeleton=skeleton, now=now, held_until=now + HELD)


def found(accounts, text="", *, only_disabled=False, after="", limit=10):
    rows = accounts.search(text, only_disabled=only_disabled, after=after, limit=limit)
    return [row.username for row in rows]


def test_accounts_are_found_by_did_username_and_handle(accounts, alice, bob):
    assert accounts.by_did(ALICE) == alice
    assert accounts.by_username("bob") == bob
    assert accounts.by_handle("alice.test") == [alice]
    assert accounts.by_did("did:plc:unknown") is None
    assert accounts.by_username("carol") is None
    assert accounts.by_handle("carol.test") == []


def test_two_accounts_with_one_handle_are_both_found(accounts, users, alice):
    users.add(user(did=BOB, username="bob"), skeleton="bob")

    assert len(accounts.by_handle("alice.test")) == 2


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["alice", "bob"]),
        ("LIC", ["alice"]),
        ("bob_1", ["bob"]),
        ("bobx1", []),
        ("%", []),
        ("\\", []),
        (BOB, ["bob"]),
        (BOB[:-1], []),
    ],
)
def test_search_finds_a_part_of_username_or_handle_or_a_whole_did(
    accounts, alice, bob, text, names
):
    assert found(accounts, text) == names


def test_search_goes_on_after_a_name(accounts, alice, bob):
    assert found(accounts, limit=1) == ["alice"]
    assert found(accounts, after="alice") == ["bob"]


def test_search_for_disabled_accounts_finds_those_alone(accounts, alice, bob):
    accounts.disable(BOB, NOON)

    assert found(accounts, only_disabled=True) == ["bob"]


def test_disable_and_enable_say_who_changed_it(accounts, alice):
    assert accounts.disable(ALICE, NOON)
    assert not accounts.disable(ALICE, NOON + 1)
    assert accounts.by_did(ALICE).disabled_at == NOON
    assert accounts.enable(ALICE, NOON)
    assert not accounts.enable(ALICE, NOON)
    assert not accounts.disable(BOB, NOON)


def test_rename_holds_the_former_name_against_others(accounts, users, alice, bob):
    renames(accounts, alice, "liddell", "llddell")

    assert accounts.by_username("liddell").did == ALICE
    assert users.taken(["allce", "llddell"]) == {"allce", "llddell"}
    with pytest.raises(UsernameTaken):
        renames(accounts, bob, "a1ice", "allce")
    assert accounts.by_did(BOB) == bob


def test_rename_back_ends_the_hold(accounts, users, alice):
    renames(accounts, alice, "liddell", "llddell")

    renames(accounts, accounts.by_did(ALICE), "alice", "allce")

    assert accounts.by_username("alice").did == ALICE
    assert users.taken(["allce", "llddell"]) == {"allce", "llddell"}


def test_hold_ends_with_its_time(accounts, alice, bob):
    renames(accounts, alice, "liddell", "llddell")

    renames(accounts, bob, "alice", "allce", now=NOON + HELD)

    assert accounts.by_username("alice").did == BOB


def test_rename_to_the_name_of_another_account_is_refused(accounts, alice, bob):
    with pytest.raises(UsernameTaken):
        renames(accounts, bob, "a1ice", "allce")


def test_sign_up_with_a_held_name_is_refused_and_stores_nothing(accounts, users, alice):
    renames(accounts, alice, "liddell", "llddell")

    with pytest.raises(UsernameTaken):
        users.add(user(did=BOB, username="alice"), skeleton="allce")

    assert users.get(BOB) is None
    later = user(did=BOB, username="alice", created_at=NOON + HELD)
    assert users.add(later, skeleton="allce").did == BOB


def test_among_returns_accounts_by_username_and_did_but_no_disabled_one(
    accounts, alice, bob
):
    names = ["bob", ALICE, "unknown", "bob"]
    assert [one.did for one in accounts.among(names)] == [ALICE, BOB]

    accounts.disable(BOB, 1.0)
    assert [one.did for one in accounts.among(names)] == [ALICE]
