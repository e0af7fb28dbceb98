"""Groups of accounts: add, remove, list, and the groups of one account."""

from __future__ import annotations

import pytest

from app.stores.people.groups import SqlGroups
from app.stores.people.users import SqlUsers
from tests.fakes.clock import NOON
from tests.stores.samples import ALICE, BOB, user


@pytest.fixture
def groups(database):
    return SqlGroups(database)


def test_add_makes_group_and_member_once(groups):
    assert groups.add("staff", ALICE, now=NOON)
    assert not groups.add("staff", ALICE, now=NOON + 1)
    assert groups.add("admin", ALICE, now=NOON + 1)
    groups.add("staff", BOB, now=NOON + 1)

    assert [(one.name, one.members) for one in groups.list()] == [
        ("admin", 1),
        ("staff", 2),
    ]
    assert groups.list()[1].created_at == NOON
    assert groups.of(ALICE) == ("admin", "staff")
    assert groups.of(BOB) == ("staff",)


def test_remove_keeps_the_group_without_members(groups):
    groups.add("staff", ALICE, now=NOON)

    assert groups.remove("staff", ALICE)
    assert not groups.remove("staff", ALICE)
    assert groups.of(ALICE) == ()
    assert [(one.name, one.members) for one in groups.list()] == [("staff", 0)]


def test_members_names_accounts_and_a_did_without_one(groups, database):
    SqlUsers(database).add(user(did=BOB, username="bob"), skeleton="bob")
    for did in (ALICE, BOB):
        groups.add("staff", did, now=NOON)

    found = [(one.did, one.username) for one in groups.members("staff")]

    assert found == [(BOB, "bob"), (ALICE, None)]
