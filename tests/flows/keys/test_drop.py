from __future__ import annotations

import pytest

from app.flows.errors import SigningKeyRefused
from app.flows.keys.drop import DropKey
from app.flows.keys.life_cycle import RETIRED_MARGIN
from app.flows.operator import Operator
from tests.flows.keys.memory import TOKEN_LIFETIME, key, stored

CAROL = Operator("carol", "seen in a paste")


@pytest.fixture
def drop_key(change, use):
    return DropKey(
        change=change,
        use=use,
        algorithms={"platform": ("ES256", "RS256"), "client": ("ES256",)},
        token_lifetime=TOKEN_LIFETIME,
    )


@pytest.fixture
def drop(drop_key):
    return lambda name, ring="platform": drop_key(ring, key(name).kid, operator=CAROL)


def statuses(keys):
    return {one.kid: one.status for one in keys.stored}


def test_drop_of_the_active_key_lets_the_next_one_sign_at_once(drop, keys, clock):
    keys.stored = [
        stored("first"),
        stored("second", status="next", created_at=clock()),
    ]

    drop("first")

    assert statuses(keys) == {key("second").kid: "active"}
    assert keys.stored[0].activated_at == clock()


def test_drop_of_the_only_key_makes_one_that_signs(drop, keys):
    keys.stored = [stored("first")]

    drop("first")

    (new,) = keys.stored
    assert (new.status, new.alg, new.kid != key("first").kid) == (
        "active",
        "ES256",
        True,
    )


@pytest.mark.parametrize("status", ["next", "retired"])
def test_drop_of_a_key_that_does_not_sign_leaves_the_active_one(
    drop, keys, clock, status
):
    keys.stored = [
        stored("first"),
        stored("second", status=status, created_at=clock(), retired_at=clock()),
    ]

    drop("second")

    assert statuses(keys) == {key("first").kid: "active"}


def test_drop_of_an_active_key_of_an_unused_algorithm_makes_no_other(drop_key, keys):
    old = stored("old", key=key("old", "EdDSA"))
    keys.stored = [stored("first"), old]

    drop_key("platform", old.kid, operator=CAROL)

    assert statuses(keys) == {key("first").kid: "active"}


def test_dropped_key_is_remembered_and_audited_with_what_ended(drop, keys, use, audit):
    keys.stored = [
        stored("first", ring="client"),
        stored("leaked", ring="client", status="retired", retired_at=5.0),
    ]
    use.sessions, use.logins = {key("leaked").kid: 3}, {key("leaked").kid: 1}

    ends = drop("leaked", "client")

    assert keys.is_former(key("leaked").thumbprint)
    assert (ends.sessions, ends.logins, ends.tokens) == (3, 1, 0)
    ((event, detail),) = audit.events
    assert event == "key_deleted"
    assert detail["reason"] == "seen in a paste"
    assert (detail["sessions"], detail["logins"]) == (3, 1)


def test_consequences_change_nothing(drop_key, keys, use):
    keys.stored = [stored("first", activated_at=100.0)]
    use.live = 12

    ends = drop_key.consequences("platform", key("first").kid)

    assert (ends.tokens, ends.status, ends.needs_successor) == (12, "active", True)
    assert keys.changes == 0


def test_tokens_are_counted_over_the_time_in_which_the_key_signed(
    drop_key, keys, use, clock
):
    retired_at = clock() - 60
    keys.stored = [
        stored("first"),
        stored("old", status="retired", activated_at=100.0, retired_at=retired_at),
    ]

    drop_key.consequences("platform", key("old").kid)

    assert use.asked == [
        {
            "begun_before": retired_at + RETIRED_MARGIN,
            "used_since": 100.0,
            "now": clock(),
        }
    ]


def test_next_key_and_long_retired_key_have_no_tokens(drop_key, keys, use, clock):
    use.live = 12
    keys.stored = [
        stored("first"),
        stored("second", status="next", created_at=clock()),
        stored("old", status="retired", activated_at=1.0, retired_at=2.0),
    ]

    for name in ("second", "old"):
        assert drop_key.consequences("platform", key(name).kid).tokens == 0


def test_drop_of_a_key_that_the_ring_does_not_have_is_refused(drop, keys):
    keys.stored = [stored("first", ring="client")]

    with pytest.raises(SigningKeyRefused, match="platform ring has no key"):
        drop("first", "platform")


def test_drop_of_the_key_of_id_tokens_makes_one_of_its_algorithm(drop_key, keys):
    keys.stored = [stored("own"), stored("id", key=key("id", "RS256"))]

    drop_key("platform", key("id", "RS256").kid, operator=CAROL)

    assert statuses(keys)[key("own").kid] == "active"
    (new,) = (one for one in keys.stored if one.alg == "RS256")
    assert new.status == "active"
    assert new.kid != key("id", "RS256").kid
