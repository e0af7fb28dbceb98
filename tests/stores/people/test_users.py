from __future__ import annotations

import pytest

from app.flows.errors import UsernameTaken
from tests.stores.samples import ALICE, BOB, user


def test_an_account_comes_back_as_it_was_added(users):
    added = users.add(user(disabled_at=7.0), skeleton="allce")

    assert added == user(disabled_at=7.0)
    assert users.get(ALICE) == added


def test_address_is_noted_and_forgotten(users):
    users.add(user(), skeleton="allce")

    users.note_email(ALICE, email="a@a.test", host="pds.test", confirmed_at=7.5)
    users.note_email(BOB, email="b@a.test", host="pds.test", confirmed_at=None)

    known = {"email": "a@a.test", "email_host": "pds.test", "email_confirmed_at": 7}
    assert users.get(ALICE) == user(**known)
    assert users.get(BOB) is None
    assert "a@a.test" not in repr(users.get(ALICE))
    users.note_email(ALICE, email=None, host=None, confirmed_at=None)
    assert users.get(ALICE) == user()


def test_an_unknown_did_has_no_account(users):
    assert users.get(BOB) is None


def test_a_name_that_looks_like_another_is_taken(users):
    users.add(user(username="alice"), skeleton="allce")

    with pytest.raises(UsernameTaken) as refused:
        users.add(user(did=BOB, username="a1ice"), skeleton="allce")

    assert refused.value.username == "a1ice"
    assert users.get(BOB) is None


def test_a_did_that_has_an_account_keeps_its_first_name(users):
    first = users.add(user(username="alice"), skeleton="allce")

    again = users.add(user(username="alice-2", created_at=1.0), skeleton="allce-z")

    assert again == first
    assert users.taken(["allce-z"]) == frozenset()


def test_taken_returns_the_taken_skeletons(users):
    users.add(user(), skeleton="allce")
    users.add(user(did=BOB, username="bob"), skeleton="bob")

    assert users.taken(["bob", "carol", "allce"]) == {"allce", "bob"}
    assert users.taken([]) == frozenset()


def test_a_sign_in_is_noted_with_its_handle_and_its_issuer(users):
    users.add(user(), skeleton="allce")

    users.note_sign_in(ALICE, handle=None, issuer="https://as.test", now=99.0)

    assert users.get(ALICE) == user(
        handle=None, handle_checked_at=99.0, issuer="https://as.test"
    )
