from __future__ import annotations

import json

import pytest

from app.flows.errors import SigningKeyRefused
from app.flows.keys.life_cycle import signs_at
from app.flows.keys.rotate import RotateKeys
from app.flows.operator import Operator
from tests.flows.keys.memory import key, stored

CAROL = Operator("carol", "yearly")
ALGORITHMS = {"platform": ("ES256", "RS256"), "client": ("ES256",)}


@pytest.fixture
def rotate_keys(change):
    return RotateKeys(change=change, algorithms=ALGORITHMS)


@pytest.fixture
def rotate(rotate_keys):
    def call(ring="platform", *, at_once=False, alg=None):
        return rotate_keys.rotate(ring, at_once=at_once, operator=CAROL, alg=alg)

    return call


@pytest.fixture
def import_key(rotate_keys):
    def call(name, ring="platform", *, at_once=False, alg="ES256"):
        raw = json.dumps(key(name, alg).private_jwk()).encode()
        return rotate_keys.import_key(ring, raw, at_once=at_once, operator=CAROL)

    return call


def statuses(keys):
    return {one.kid: one.status for one in keys.stored}


# --- rotate ---------------------------------------------------------------------------


@pytest.mark.parametrize("ring", ["platform", "client"])
def test_rotate_publishes_a_next_key_and_the_active_one_goes_on_signing(
    rotate, keys, audit, clock, ring
):
    keys.stored = [stored("first", ring=ring)]

    added = rotate(ring)

    assert (added.status, added.created_at) == ("next", clock())
    assert statuses(keys) == {key("first").kid: "active", added.kid: "next"}
    assert audit.events == [
        (
            "key_added",
            {
                "ring": ring,
                "kid": added.kid,
                "status": "next",
                "operator": "carol",
                "reason": "yearly",
            },
        )
    ]


def test_rotate_while_a_next_key_waits_is_refused_with_its_time(rotate, keys, clock):
    waits = stored("second", status="next", created_at=clock())
    keys.stored = [stored("first"), waits]

    with pytest.raises(SigningKeyRefused, match=r"signs from 2026-.* on; --now"):
        rotate()

    assert len(keys.stored) == 2


def test_rotate_after_the_next_key_signs_publishes_another(rotate, keys, clock):
    waits = stored("second", status="next", created_at=clock())
    keys.stored = [stored("first"), waits]
    clock.advance(signs_at(waits) - clock())

    added = rotate()

    assert statuses(keys) == {
        key("first").kid: "retired",
        waits.kid: "active",
        added.kid: "next",
    }


def test_rotate_now_lets_the_waiting_key_sign(rotate, keys, clock):
    waits = stored("second", status="next", created_at=clock())
    keys.stored = [stored("first"), waits]

    signing = rotate(at_once=True)

    assert (signing.kid, signing.activated_at) == (waits.kid, clock())
    assert statuses(keys) == {key("first").kid: "retired", waits.kid: "active"}


def test_rotate_now_without_a_waiting_key_makes_one_that_signs(
    rotate, keys, audit, clock
):
    keys.stored = [stored("first")]

    signing = rotate(at_once=True)

    assert statuses(keys) == {key("first").kid: "retired", signing.kid: "active"}
    assert sorted(audit.names()) == ["key_added", "key_retired"]


def test_rotate_of_an_empty_ring_makes_a_key_that_signs(rotate):
    assert rotate().status == "active"


@pytest.mark.parametrize(
    ("ring", "reason"), [("platform", "JWT_SECRET"), ("client", "public client")]
)
def test_rotate_of_a_ring_that_is_not_in_use_is_refused(change, ring, reason):
    unused = RotateKeys(change=change, algorithms={})

    with pytest.raises(SigningKeyRefused, match=reason):
        unused.rotate(ring, at_once=False, operator=CAROL)


# --- import ---------------------------------------------------------------------------


def test_imported_key_waits_and_signs_by_itself(import_key, keys, clock):
    keys.stored = [stored("first")]

    added = import_key("own")

    assert (added.kid, added.status) == (key("own").kid, "next")
    assert signs_at(added) == clock() + 15 * 60


def test_imported_key_with_now_signs(import_key, keys):
    keys.stored = [stored("first")]

    import_key("own", at_once=True)

    assert statuses(keys) == {key("first").kid: "retired", key("own").kid: "active"}


def test_import_with_now_of_the_key_that_waits_lets_it_sign(import_key, keys, clock):
    keys.stored = [
        stored("first"),
        stored("own", status="next", created_at=clock()),
    ]

    assert import_key("own", at_once=True).status == "active"


@pytest.mark.parametrize("status", ["next", "active", "retired"])
def test_import_of_a_key_that_is_in_the_ring_is_refused(
    import_key, keys, clock, status
):
    keys.stored = [stored("own", status=status, created_at=clock(), retired_at=clock())]

    with pytest.raises(SigningKeyRefused, match=f"already: {status}"):
        import_key("own")


def test_import_while_another_key_waits_is_refused(import_key, keys, clock):
    keys.stored = [
        stored("first"),
        stored("second", status="next", created_at=clock()),
    ]

    with pytest.raises(SigningKeyRefused, match="waits"):
        import_key("own", at_once=True)


def test_import_of_a_deleted_key_is_refused(import_key, keys):
    keys.stored = [stored("first")]
    keys.former = {key("own").thumbprint}

    with pytest.raises(SigningKeyRefused, match="never comes back"):
        import_key("own")


def test_import_of_a_key_of_the_other_ring_is_refused(import_key, keys):
    keys.stored = [stored("first"), stored("own", ring="client")]

    with pytest.raises(SigningKeyRefused, match="in the client ring"):
        import_key("own")


def test_import_of_a_key_of_another_algorithm_is_refused(import_key):
    with pytest.raises(SigningKeyRefused, match="needs ES256"):
        import_key("own", alg="EdDSA")


# --- the RS256 key of id_tokens beside the ring's own ---------------------------------


def test_rotate_of_id_tokens_leaves_the_ring_of_platform_tokens_alone(rotate, keys):
    keys.stored = [stored("own"), stored("id", key=key("id", "RS256"))]

    added = rotate(alg="RS256", at_once=True)

    assert (added.alg, added.status) == ("RS256", "active")
    assert statuses(keys)[key("own").kid] == "active"
    assert statuses(keys)[key("id", "RS256").kid] == "retired"


def test_rotate_refuses_an_algorithm_that_the_ring_does_not_sign_with(rotate, keys):
    with pytest.raises(SigningKeyRefused, match="needs ES256 or RS256"):
        rotate(alg="EdDSA")
    with pytest.raises(SigningKeyRefused, match="needs ES256"):
        rotate("client", alg="RS256")
    assert keys.stored == []
