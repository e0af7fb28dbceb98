from __future__ import annotations

from dataclasses import replace

import pytest

from app.flows.keys.life_cycle import (
    ANNOUNCED,
    LONGEST_LOGIN,
    RETIRED_MARGIN,
    signs_at,
)
from app.flows.keys.upkeep import KeyUpkeep
from tests.flows.keys.memory import TOKEN_LIFETIME, key, stored

DAY = 86_400.0


@pytest.fixture
def upkeep(change, use):
    return KeyUpkeep(
        change=change,
        use=use,
        algorithms={"platform": ("ES256",), "client": ("ES256",)},
        token_lifetime=TOKEN_LIFETIME,
    )


@pytest.fixture
def rotating(upkeep):
    return replace(upkeep, rotation=90 * DAY)


def statuses(keys):
    return {one.kid: one.status for one in keys.stored}


def test_upkeep_of_rings_without_a_change_writes_nothing(upkeep, keys, clock):
    keys.stored = [
        stored("first"),
        stored("second", status="next", created_at=clock()),
        stored("client", ring="client"),
    ]

    assert upkeep() == 0
    assert keys.changes == 0


def test_upkeep_stores_that_the_next_key_signs(upkeep, keys, audit, clock):
    waits = stored("second", status="next", created_at=clock())
    keys.stored = [stored("first"), waits]
    clock.advance(ANNOUNCED["platform"])

    assert upkeep() == 1
    assert statuses(keys) == {key("first").kid: "retired", waits.kid: "active"}
    assert sorted(audit.names()) == ["key_activated", "key_retired"]


def test_imported_key_of_an_older_release_does_not_stay_next(upkeep, keys, clock):
    keys.stored = [stored("first"), stored("own", status="next", created_at=1.0)]

    upkeep()

    assert statuses(keys)[key("own").kid] == "active"


def test_upkeep_deletes_a_retired_platform_key_after_its_last_token(
    upkeep, keys, audit, clock
):
    keys.stored = [
        stored("first"),
        stored("old", status="retired", retired_at=clock()),
    ]
    clock.advance(TOKEN_LIFETIME + RETIRED_MARGIN - 1)
    assert upkeep() == 0

    clock.advance(1)

    assert upkeep() == 1
    assert statuses(keys) == {key("first").kid: "active"}
    assert audit.names() == ["key_deleted"]


@pytest.mark.parametrize("bound", ["sessions", "logins"])
def test_upkeep_keeps_a_client_key_while_something_is_bound_to_it(
    upkeep, keys, use, clock, bound
):
    keys.stored = [
        stored("first", ring="client"),
        stored("old", ring="client", status="retired", retired_at=clock()),
    ]
    setattr(use, bound, {key("old").kid: 1})
    clock.advance(LONGEST_LOGIN + 400 * DAY)
    assert upkeep() == 0

    setattr(use, bound, {})

    assert upkeep() == 1
    assert statuses(keys) == {key("first").kid: "active"}


# --- the key of id_tokens -------------------------------------------------------------


@pytest.fixture
def upgraded(upkeep):
    algorithms = {"platform": ("ES256", "RS256"), "client": ("ES256",)}
    return replace(upkeep, algorithms=algorithms, makes_id_token_key=True)


def test_missing_key_of_id_tokens_is_made_once_and_signs(upgraded, keys, audit):
    keys.stored = [stored("first")]

    assert upgraded() == 1
    assert upgraded() == 0

    assert sorted((one.alg, one.status) for one in keys.stored) == [
        ("ES256", "active"),
        ("RS256", "active"),
    ]
    assert audit.names() == ["key_added"]


def test_other_missing_keys_are_left_to_init(upgraded, upkeep, keys):
    keys.stored = []

    assert upgraded() == 1
    assert [one.alg for one in keys.stored] == ["RS256"]
    keys.stored = []
    assert replace(upkeep, algorithms={"platform": ("RS256",)})() == 0


# --- KEY_ROTATION ---------------------------------------------------------------------


@pytest.mark.parametrize("ring", ["platform", "client"])
def test_key_that_signs_for_long_enough_gets_a_next_one(rotating, keys, clock, ring):
    keys.stored = [stored("first", ring=ring, activated_at=clock())]
    clock.advance(90 * DAY - 1)
    assert rotating() == 0

    clock.advance(1)

    assert rotating() == 1
    assert sorted(statuses(keys).values()) == ["active", "next"]


def test_rotation_publishes_one_key_however_often_the_sweep_runs(rotating, keys, clock):
    keys.stored = [stored("first", activated_at=1.0)]

    assert [rotating() for _ in range(3)] == [1, 0, 0]


def test_rotation_goes_on_period_after_period(rotating, keys, clock):
    keys.stored = [stored("first", activated_at=clock())]
    for _ in range(3 * 24 * 90):
        clock.advance(3_600)
        rotating()
        signing = [one for one in keys.stored if one.status == "active"]
        assert len(signing) == 1

    assert len(keys.stored) <= 3
    assert key("first").kid not in statuses(keys)
    assert clock() - signing[0].activated_at <= 91 * DAY


def test_rotation_that_another_node_was_faster_with_adds_no_second_key(
    rotating, keys, clock
):
    keys.stored = [stored("first", activated_at=1.0)]
    keys.meanwhile = [stored("second", status="next", created_at=clock())]

    rotating()

    assert statuses(keys) == {key("first").kid: "active", key("second").kid: "next"}


def test_no_rotation_without_the_setting_and_in_rings_that_are_not_used(
    upkeep, rotating, keys
):
    keys.stored = [stored("first", activated_at=1.0)]

    assert upkeep() == 0
    assert replace(rotating, algorithms={"client": ("ES256",)})() == 0


def test_rotated_key_signs_after_it_was_announced(rotating, keys, clock):
    keys.stored = [stored("first", activated_at=1.0)]
    rotating()
    waits = next(one for one in keys.stored if one.status == "next")

    assert signs_at(waits) == clock() + ANNOUNCED["platform"]


def test_rotation_of_id_tokens_and_of_platform_tokens_are_due_apart(
    rotating, keys, clock
):
    both = replace(rotating, algorithms={"platform": ("ES256", "RS256")})
    rs256 = key("id", "RS256")
    keys.stored = [
        stored("own", activated_at=clock()),
        stored("id", key=rs256, activated_at=1.0),
    ]

    assert both() == 1
    (waits,) = (one for one in keys.stored if one.status == "next")
    assert waits.alg == "RS256"
