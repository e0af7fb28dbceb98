"""Deleting an account: what is revoked, what is left to the sweep, who may."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from app.atproto.client import Revocation
from app.flows.errors import NotSignedIn, UsernameNotConfirmed
from app.flows.operator import Operator
from app.flows.people import deletion
from app.flows.people.deletion import DeleteAccount, LeavePlatform
from tests.stores.samples import ALICE, session, user


@dataclass
class FakeErasure:
    users: object
    grants: list = field(default_factory=lambda: ["grant-1", "grant-2"])
    asked: list = field(default_factory=list)
    many_events: list = field(default_factory=list)

    def forget_events(self, did, *, mark):
        return self.many_events.pop() if self.many_events else 0

    def erase(self, user, **asked):
        self.asked.append(asked)
        return self.grants if self.users.rows.pop(user.did, None) else None


@pytest.fixture
def erasure(users):
    return FakeErasure(users)


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def delete(sessions, logins, erasure, client, clock, pauses):
    return DeleteAccount(
        sessions=sessions,
        native_logins=logins,
        erasure=erasure,
        revoke=lambda did, sid, deadline: client.revoke(did, sid, deadline=deadline),
        clock=clock,
        username_hold=100,
        pause=pauses.append,
    )


@pytest.fixture
def leave(sessions, users, delete):
    return LeavePlatform(sessions=sessions, users=users, delete=delete)


@pytest.fixture
def alice(users, sessions):
    sessions.add(session(), secret="cookie")
    return users.add(user(), skeleton="allce")


def test_delete_erases_first_and_revokes_every_grant(
    delete, erasure, client, alice, clock
):
    deleted = delete(alice, by=Operator("carol", "spam"))

    [asked] = erasure.asked
    assert asked["held_until"] == deleted.held_until == clock() + 100
    assert asked["detail"] == {"operator": "carol", "reason": "spam"}
    assert asked["mark"] == deleted.mark
    assert client.revoked == [(ALICE, "grant-1"), (ALICE, "grant-2")]
    assert (deleted.sessions, deleted.grants) == (1, 2)
    assert len(deleted.revocations) == 2


def test_delete_of_an_account_with_very_many_events_pauses_between_steps(
    delete, erasure, pauses, alice
):
    erasure.many_events = [500, 500]

    assert delete(alice) is not None
    assert pauses == [deletion.PAUSE] * 2


def test_marks_of_two_deletions_differ_and_do_not_follow_from_the_did(
    delete, users, alice
):
    first = delete(alice).mark
    users.rows[ALICE] = alice

    assert delete(alice).mark != first


def test_delete_leaves_grants_to_the_sweep_when_the_time_is_up(
    delete, client, alice, monkeypatch
):
    monkeypatch.setattr(deletion, "REVOCATION_BUDGET", 0.0)

    deleted = delete(alice)

    assert client.revoked == []
    assert (deleted.grants, deleted.revocations) == (2, [])


def test_delete_of_an_account_that_is_gone_revokes_nothing(delete, client, alice):
    delete(alice)
    client.revoked.clear()

    assert delete(alice) is None
    assert client.revoked == []


def test_revocation_names_the_host_for_the_goodbye(delete, alice):
    [first, _] = delete(alice).revocations

    assert first == Revocation(issuer="https://auth.test", is_asked=True)


def test_leave_deletes_the_account_that_was_proved(leave, erasure, users, alice):
    left = leave("cookie", proved=ALICE, sid="sid-1")

    assert left.deleted.username == "alice"
    assert users.get(ALICE) is None
    assert erasure.asked[0]["detail"] == {}


@pytest.mark.parametrize(
    ("secret", "proved", "sid"),
    [
        (None, ALICE, "sid-1"),
        ("", ALICE, "sid-1"),
        ("unknown", ALICE, "sid-1"),
        ("cookie", "did:plc:bobbbbbbbbbbbbbbbbbbbbbb", "sid-1"),
        ("cookie", ALICE, "sid-2"),
        ("cookie", ALICE, ""),
    ],
)
def test_leave_with_another_session_or_account_deletes_nothing(
    leave, users, alice, secret, proved, sid
):
    with pytest.raises(NotSignedIn):
        leave(secret, proved=proved, sid=sid)

    assert users.get(ALICE) == alice


def test_leave_begins_with_a_login_that_proves_the_account(leave, users, alice):
    destination = leave.begin("cookie", typed=" Alice ")

    assert destination.identifier == ALICE
    assert (destination.prompt, destination.leaving) == ("login", "yes")
    assert users.get(ALICE) == alice


@pytest.mark.parametrize("secret", [None, "", "unknown"])
def test_leave_without_a_live_session_raises_not_signed_in(leave, alice, secret):
    with pytest.raises(NotSignedIn):
        leave.begin(secret, typed="alice")


def test_leave_with_a_session_that_an_app_waits_for_raises_not_signed_in(
    leave, sessions, users
):
    users.add(user(), skeleton="allce")
    sessions.add(session(pending_for="native"), secret="held")

    with pytest.raises(NotSignedIn):
        leave.begin("held", typed="alice")


def test_leave_with_another_name_raises_username_not_confirmed(leave, alice):
    with pytest.raises(UsernameNotConfirmed):
        leave.begin("cookie", typed="bob")
