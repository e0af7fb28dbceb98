"""What a person changes of their own account, in the tables."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from app.flows.errors import NotSignedIn, UsernameChangeTooSoon, UsernameTaken
from app.stores.people.audit import SqlAudit
from app.stores.people.audit_trail import SqlAuditTrail
from app.stores.people.groups import SqlGroups
from app.stores.people.own_data import TABLES, SqlOwnData
from tests.fakes.clock import NOON
from tests.stores.samples import ALICE, BOB, session, user

DAY = 86_400.0
SCHEMA = Path(__file__).parents[3] / "schema.sql"
NOT_DOWNLOADED = {
    "provider_codes",  # for minutes, then a grant
    "service_events",  # what services are told of the events
}


@pytest.fixture
def alice(users):
    return users.add(user(), skeleton="allce")


@pytest.fixture
def bob(users, alice):
    return users.add(user(did=BOB, username="bob", handle="bob_1.test"), skeleton="bob")


def changes(accounts, whom, username, skeleton, *, now=NOON):
    accounts.change_own(
        whom,
        username,
        skeleton=skeleton,
        now=now,
        not_since=now - 30 * DAY,
        held_until=now + 90 * DAY,
    )


def test_change_own_renames_and_holds_the_former_name(accounts, users, alice, bob):
    changes(accounts, alice, "liddell", "llddell")

    assert users.get(ALICE).username == "liddell"
    assert users.get(ALICE).username_changed_at == int(NOON)
    assert users.taken(["allce"]) == {"allce"}
    assert accounts.by_username("alice") is None
    with pytest.raises(UsernameTaken):
        changes(accounts, bob, "a1ice", "allce")


def test_change_own_within_the_interval_raises_and_changes_nothing(
    accounts, users, alice
):
    changes(accounts, alice, "liddell", "llddell")

    with pytest.raises(UsernameChangeTooSoon):
        changes(accounts, users.get(ALICE), "carroll", "carroll", now=NOON + 29 * DAY)

    assert users.get(ALICE).username == "liddell"
    changes(accounts, users.get(ALICE), "carroll", "carroll", now=NOON + 30 * DAY)
    assert users.get(ALICE).username == "carroll"


def test_change_own_of_a_read_that_is_out_of_date_raises_too_soon(
    accounts, users, alice
):
    changes(accounts, alice, "liddell", "llddell", now=NOON - 60 * DAY)

    with pytest.raises(UsernameChangeTooSoon):
        changes(accounts, alice, "carroll", "carroll")


def test_change_own_may_take_its_held_name_back(accounts, users, alice):
    changes(accounts, alice, "liddell", "llddell")

    changes(accounts, users.get(ALICE), "alice", "allce", now=NOON + 31 * DAY)

    assert users.get(ALICE).username == "alice"
    assert users.taken(["llddell"]) == {"llddell"}


def test_change_own_to_a_name_of_another_account_raises_taken(accounts, alice, bob):
    with pytest.raises(UsernameTaken):
        changes(accounts, alice, "b0b", "bob")


def test_change_own_of_an_account_that_is_gone_raises(accounts, bob):
    with pytest.raises(NotSignedIn):
        changes(accounts, replace(bob, did="did:plc:gone"), "gone", "gone")


def test_two_people_who_change_to_one_name_at_once_get_it_once(
    accounts, users, alice, bob
):
    def tries(whom):
        try:
            changes(accounts, whom, "carroll", "carroll")
        except UsernameTaken:
            return "taken"
        return "changed"

    with ThreadPoolExecutor(2) as threads:
        outcomes = sorted(threads.map(tries, [alice, bob]))

    assert outcomes == ["changed", "taken"]


def test_two_changes_of_one_account_at_once_make_one(accounts, users, alice):
    def tries(name):
        try:
            changes(accounts, alice, name, name)
        except UsernameChangeTooSoon:
            return "too soon"
        return "changed"

    with ThreadPoolExecutor(2) as threads:
        outcomes = sorted(threads.map(tries, ["carroll", "dodgson"]))

    assert outcomes == ["changed", "too soon"]


def test_taken_leaves_out_own_names_and_own_holds(accounts, users, alice, bob):
    changes(accounts, alice, "liddell", "llddell")

    asked = ["allce", "llddell", "bob"]
    assert users.taken(asked, but_for=ALICE) == {"bob"}
    assert users.taken(asked) == set(asked)


def test_note_handle_never_replaces_a_later_check(users, alice):
    assert users.note_handle(ALICE, handle="new.test", now=NOON + 10)
    assert not users.note_handle(ALICE, handle="old.test", now=NOON + 5)
    assert users.get(ALICE).handle == "new.test"
    assert users.note_handle(ALICE, handle=None, now=NOON + 20)
    assert users.get(ALICE).handle is None


def test_ended_session_is_found_by_its_secret_alone(sessions, clock):
    sessions.add(session(), secret="cookie")
    assert sessions.ended("cookie") is None

    sessions.end(session().sid, clock())

    assert sessions.ended("cookie").sid == session().sid
    assert sessions.ended("cookie").ended_at == int(clock())
    assert sessions.ended("another") is None


def test_narrow_changes_the_granted_scope_once(sessions):
    sessions.add(session(granted_scope="atproto blob:a/*"), secret="cookie")
    sid = session().sid

    assert sessions.narrow(sid, former="atproto blob:a/*", granted="atproto")
    assert not sessions.narrow(sid, former="atproto blob:a/*", granted="x")
    assert sessions.get(sid).granted_scope == "atproto"
    assert sessions.get(sid).oauth_session_id is None


def test_own_events_are_read_page_by_page(database):
    audit, trail = SqlAudit(database), SqlAuditTrail(database)
    for number in range(5):
        audit.record(f"event_{number}", now=NOON + number, did=ALICE)
    audit.record("xrpc", now=NOON + 9, did=ALICE)
    audit.record("signed_in", now=NOON + 9, did=BOB)

    first = trail.latest(ALICE, 2)
    second = trail.latest(ALICE, 2, before=first[-1].id)

    assert [event.event for event in first] == ["event_4", "event_3"]
    assert [event.event for event in second] == ["event_2", "event_1"]


def test_end_of_a_session_is_its_own_and_of_its_account(database):
    audit, trail = SqlAudit(database), SqlAuditTrail(database)
    audit.record("session_ended", now=NOON, did=ALICE, sid="a", detail={"reason": "x"})
    audit.record("session_ended", now=NOON, did=ALICE, sid="b")

    assert trail.end_of(ALICE, "a").detail == {"reason": "x"}
    assert trail.end_of(BOB, "a") is None
    assert trail.end_of(ALICE, "c") is None


def test_own_data_has_rows_of_the_account_and_no_secret(
    database, accounts, sessions, alice, bob
):
    sessions.add(session(), secret="cookie")
    sessions.add(session(sid="sid-of-bob", did=BOB), secret="of bob")
    changes(accounts, alice, "liddell", "llddell")
    SqlAudit(database).record("signed_in", now=NOON, did=ALICE, detail={"app": "x"})
    groups = SqlGroups(database)
    groups.add("writers", ALICE, now=NOON)
    groups.add("editors", BOB, now=NOON)

    found = SqlOwnData(database).of(ALICE, limit=10)

    assert [row["username"] for row in found["account"]] == ["liddell"]
    assert [row["username"] for row in found["former_usernames"]] == ["alice"]
    assert [row["sid"] for row in found["sessions"]] == [session().sid]
    assert found["groups"] == [{"group_name": "writers", "added_at": int(NOON)}]
    assert found["events"][0]["detail"] == {"app": "x"}
    assert "bob" not in json.dumps(found)


def test_own_data_names_no_column_of_secrets_or_hashes():
    for _table, columns, _order in TABLES.values():
        assert not [c for c in columns if c == "secrets" or c.endswith("_hash")]
        assert not {"lease_holder", "code_challenge", "user_code"} & set(columns)


def test_own_data_has_every_table_of_an_account_or_says_why_not():
    tables = re.findall(
        r"CREATE TABLE IF NOT EXISTS (\w+) \((.*?)\n\);", SCHEMA.read_text(), re.DOTALL
    )
    of_accounts = {name for name, body in tables if re.search(r"\n    did +TEXT", body)}

    downloaded = {table for table, _columns, _order in TABLES.values()}
    assert of_accounts - downloaded == NOT_DOWNLOADED
