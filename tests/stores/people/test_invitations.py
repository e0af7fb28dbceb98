"""Invitations: open, used up in the transaction of the sign-up, revoked, swept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.flows.errors import InvitationEnded, UsernameTaken
from app.flows.people.signup.invitations import Invitation
from app.stores.people.invitations import SqlInvitations
from app.stores.sweep import SqlExpired
from tests.fakes.clock import NOON
from tests.stores.samples import ALICE, BOB, user

SECRET = "canary-invitation"
WEEK = 7 * 86_400.0


@pytest.fixture
def invitations(database):
    return SqlInvitations(database)


def invitation(**changes):
    made = Invitation(
        invitation_id="invitation-1",
        uses=1,
        used=0,
        created_by="carol",
        created_at=NOON,
        expires_at=NOON + WEEK,
    )
    return replace(made, **changes)


def test_invitation_comes_back_as_it_was_added_without_its_secret(
    invitations, database
):
    invitations.add(invitation(), secret=SECRET)

    assert invitations.list() == [invitation()]
    assert invitations.is_open(SECRET, NOON)
    assert not invitations.is_open("another", NOON)
    assert SECRET not in repr(stored(database))


def stored(database):
    with database.read() as connection:
        return connection.exec_driver_sql("SELECT * FROM invitations").all()


def test_invitation_ends_with_its_time(invitations):
    invitations.add(invitation(), secret=SECRET)

    assert invitations.is_open(SECRET, NOON + WEEK - 1)
    assert not invitations.is_open(SECRET, NOON + WEEK)


def test_invitation_that_is_revoked_is_closed_and_listed(invitations):
    invitations.add(invitation(), secret=SECRET)

    assert invitations.revoke("invitation-1", NOON)
    assert not invitations.revoke("invitation-1", NOON)
    assert not invitations.revoke("unknown", NOON)
    assert not invitations.is_open(SECRET, NOON)
    assert invitations.list()[0].revoked_at == NOON


def test_sign_up_uses_an_invitation_up(invitations, users):
    invitations.add(invitation(), secret=SECRET)

    users.add(user(), skeleton="allce", invitation=SECRET)

    assert invitations.list()[0].used == 1
    assert not invitations.is_open(SECRET, NOON)


@pytest.mark.parametrize(
    "changes", [{"used": 1}, {"expires_at": NOON}, {"revoked_at": NOON - 1}]
)
def test_sign_up_with_a_closed_invitation_stores_no_account(
    invitations, users, changes
):
    invitations.add(invitation(**changes), secret=SECRET)

    with pytest.raises(InvitationEnded):
        users.add(user(), skeleton="allce", invitation=SECRET)

    assert users.get(ALICE) is None


def test_sign_up_that_fails_uses_nothing_up(invitations, users):
    users.add(user(), skeleton="allce")
    invitations.add(invitation(), secret=SECRET)

    with pytest.raises(UsernameTaken):
        users.add(user(did=BOB), skeleton="allce", invitation=SECRET)

    assert invitations.is_open(SECRET, NOON)


def test_repeated_sign_up_uses_one_invitation_once(invitations, users):
    invitations.add(invitation(uses=2), secret=SECRET)
    for _ in range(2):
        users.add(user(), skeleton="allce", invitation=SECRET)

    assert invitations.list()[0].used == 1


def test_sweep_deletes_invitations_and_holds_that_are_over(invitations, database):
    invitations.add(invitation(), secret=SECRET)
    hold = "INSERT INTO username_holds VALUES ('allce', 'alice', NULL, 5)"
    with database.write() as connection:
        connection.exec_driver_sql(hold)
    expired = SqlExpired(database)

    assert expired.delete("invitations", NOON + WEEK - 1) == 0
    assert expired.delete("invitations", NOON + WEEK) == 1
    assert expired.delete("username_holds", 4) == 0
    assert expired.delete("username_holds", 5) == 1
