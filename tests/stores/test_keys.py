from __future__ import annotations

import threading
from typing import Any

import pytest

from app.flows.errors import SigningKeyRefused, StorageFailed
from app.flows.keys.life_cycle import activated
from app.flows.ports import StoredKey
from app.stores.encryption import Cipher
from app.stores.errors import DecryptionFailed
from app.stores.keys import SqlSigningKeys
from tests.fakes.clock import NOON
from tests.stores.samples import key


@pytest.fixture
def keys(database, cipher):
    return SqlSigningKeys(database, cipher)


def stored(name: str = "first", **changes: Any) -> StoredKey:
    signing = key(changes.pop("alg", "ES256"), name)
    fields = {
        "kid": signing.kid,
        "ring": "platform",
        "alg": signing.alg,
        "status": "active",
        "key": signing,
        "created_at": NOON,
        "activated_at": NOON,
    }
    return StoredKey(**{**fields, **changes})


def add(keys: SqlSigningKeys, *added: StoredKey, ring: str = "platform") -> None:
    keys.change(ring, lambda before: [*before, *added])


def test_a_ring_lists_what_was_added_with_its_private_key(keys):
    add(keys, stored())

    (listed,) = keys.list("platform")

    assert listed == stored()
    assert listed.key.private_jwk() == stored().key.private_jwk()


@pytest.mark.parametrize("alg", ["RS256", "EdDSA"])
def test_every_algorithm_is_stored(keys, database, alg):
    add(keys, stored(alg=alg))
    reopened = SqlSigningKeys(database, Cipher(bytes(range(32))))

    assert reopened.list("platform")[0].key.private_jwk() == key(alg).private_jwk()


def test_the_rings_are_separate(keys):
    add(keys, stored())
    add(keys, stored("second", ring="client"), ring="client")

    assert [k.kid for k in keys.list("platform")] == [key(name="first").kid]
    assert [k.kid for k in keys.list("client")] == [key(name="second").kid]


def test_change_that_adds_a_second_active_key_of_an_algorithm_changes_nothing(keys):
    add(keys, stored(), stored("ed", alg="EdDSA"))

    with pytest.raises(StorageFailed):
        add(keys, stored("second"))

    assert len(keys.list("platform")) == 2


def test_change_that_adds_a_second_next_key_of_an_algorithm_changes_nothing(keys):
    add(keys, stored("second", status="next"))

    with pytest.raises(StorageFailed):
        add(keys, stored("third", status="next"))


def test_retired_keys_are_as_many_as_there_were(keys):
    for name in ("first", "second", "third"):
        add(keys, stored(name, status="retired", retired_at=NOON + 1))

    assert len(keys.list("platform")) == 3


def test_change_activates_the_next_key_and_retires_the_one_before(keys):
    add(keys, stored(), stored("second", status="next", activated_at=None))

    keys.change("platform", lambda ring: activated(ring, ring[1], at=NOON + 9))

    first, second = keys.list("platform")
    assert (first.kid, first.status) == (key(name="second").kid, "active")
    assert first.activated_at == NOON + 9
    assert (second.kid, second.status) == (key(name="first").kid, "retired")
    assert second.retired_at == NOON + 9


def test_change_that_fails_leaves_the_ring_as_it_was(keys):
    add(keys, stored())

    with pytest.raises(ZeroDivisionError):
        keys.change("platform", lambda _: [1 / 0])

    assert keys.list("platform") == [stored()]


def test_deleted_key_never_joins_a_ring_again(keys):
    add(keys, stored())
    keys.change("platform", lambda _: [])

    assert keys.list("platform") == []
    assert keys.is_former(key(name="first").thumbprint)
    for ring in ("platform", "client"):
        with pytest.raises(SigningKeyRefused, match="never comes back"):
            add(keys, stored(ring=ring), ring=ring)
    assert not keys.is_former(key(name="second").thumbprint)


def test_change_of_one_ring_leaves_the_other_alone(keys):
    add(keys, stored())
    add(keys, stored("second", ring="client"), ring="client")

    keys.change("client", lambda _: [])

    assert keys.list("platform") == [stored()]


def test_change_waits_for_another_change_and_sees_what_it_did(keys):
    def first(_):
        other.start()
        other.join(0.3)  # it would read now if it did not wait
        return [stored()]

    def second(before):
        seen.extend(one.kid for one in before)
        return before

    seen: list[str] = []
    other = threading.Thread(target=keys.change, args=("platform", second))
    keys.change("platform", first)
    other.join()

    assert seen == [key(name="first").kid]


def test_private_keys_of_a_dropped_key_do_not_stay_in_memory(keys):
    add(keys, stored(), stored("second", status="next"))
    keys.list("platform")
    keys.change("platform", lambda ring: ring[:1])
    keys.list("platform")

    assert len(keys._parsed["platform"]) == 1


def test_the_active_key_comes_first_and_the_newest_retired_before_older_ones(keys):
    add(keys, stored("old", status="retired", created_at=1.0))
    add(keys, stored("newer", status="retired", created_at=2.0))
    add(keys, stored("next", status="next", created_at=9.0))
    add(keys, stored("active", created_at=3.0))

    names = ["active", "next", "newer", "old"]
    assert [k.kid for k in keys.list("platform")] == [key(name=n).kid for n in names]


def test_a_key_is_parsed_once_however_often_the_ring_is_read(keys):
    add(keys, stored())

    assert keys.list("platform")[0].key is keys.list("platform")[0].key


def test_a_key_copied_into_another_ring_does_not_open(keys, database):
    add(keys, stored())
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE signing_keys SET ring = 'client'")

    with pytest.raises(DecryptionFailed):
        keys.list("client")
