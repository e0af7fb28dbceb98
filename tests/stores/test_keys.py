from __future__ import annotations

from typing import Any

import pytest

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


def test_a_ring_lists_what_was_added_with_its_private_key(keys):
    keys.add(stored())

    (listed,) = keys.list("platform")

    assert listed == stored()
    assert listed.key.private_jwk() == stored().key.private_jwk()


@pytest.mark.parametrize("alg", ["RS256", "EdDSA"])
def test_every_algorithm_is_stored(keys, database, alg):
    keys.add(stored(alg=alg))
    reopened = SqlSigningKeys(database, Cipher(bytes(range(32))))

    assert reopened.list("platform")[0].key.private_jwk() == key(alg).private_jwk()


def test_the_rings_are_separate(keys):
    keys.add(stored())
    keys.add(stored("second", ring="client"))

    assert [k.kid for k in keys.list("platform")] == [key(name="first").kid]
    assert [k.kid for k in keys.list("client")] == [key(name="second").kid]


def test_a_ring_has_one_active_key_for_an_algorithm(keys):
    assert keys.add(stored()) is True
    assert keys.add(stored("second")) is False
    assert keys.add(stored("second", status="next", activated_at=None)) is True
    assert keys.add(stored("third", status="next", activated_at=None)) is False
    assert keys.add(stored("ed", alg="EdDSA")) is True


def test_retired_keys_are_as_many_as_there_were(keys):
    for name in ("first", "second", "third"):
        assert keys.add(stored(name, status="retired", retired_at=NOON + 1))

    assert len(keys.list("platform")) == 3


def test_a_key_id_stands_once_in_a_ring(keys):
    keys.add(stored())

    assert keys.add(stored(status="retired")) is False
    assert keys.add(stored(ring="client")) is True


def test_the_active_key_comes_first_and_the_newest_retired_before_older_ones(keys):
    keys.add(stored("old", status="retired", created_at=1.0))
    keys.add(stored("newer", status="retired", created_at=2.0))
    keys.add(stored("next", status="next", created_at=9.0))
    keys.add(stored("active", created_at=3.0))

    names = ["active", "next", "newer", "old"]
    assert [k.kid for k in keys.list("platform")] == [key(name=n).kid for n in names]


def test_a_key_is_parsed_once_however_often_the_ring_is_read(keys):
    keys.add(stored())

    assert keys.list("platform")[0].key is keys.list("platform")[0].key


def test_a_key_copied_into_another_ring_does_not_open(keys, database):
    keys.add(stored())
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE signing_keys SET ring = 'client'")

    with pytest.raises(DecryptionFailed):
        keys.list("client")
