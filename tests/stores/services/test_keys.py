"""Service keys: stored without their secret, one for each name."""

from __future__ import annotations

import pytest

from app.flows.errors import ServiceKeyRefused
from app.flows.services.keys import ServiceKey
from app.stores.services.keys import SqlServiceKeys
from tests.fakes.clock import NOON

SECRET = "latchkey_sk_canary"
WIKI = ServiceKey(name="wiki", may="users", created_by="carol", created_at=NOON)


def test_key_is_found_by_its_secret_which_is_not_stored(database):
    keys = SqlServiceKeys(database)

    assert keys.add(WIKI, secret=SECRET, most=2)
    assert not keys.add(WIKI, secret="another", most=2)
    keys.note_use("wiki", NOON + 5.5)

    found = keys.by_secret(SECRET)
    assert found is not None
    assert found.used_at == NOON + 5
    assert keys.by_secret("another") is None
    assert keys.list() == [found]
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM service_keys").all()
    assert SECRET not in repr(rows)
    assert keys.remove("wiki")
    assert not keys.remove("wiki")
    assert keys.by_secret(SECRET) is None


def test_add_beyond_the_most_keys_is_refused(database):
    keys = SqlServiceKeys(database)
    keys.add(WIKI, secret=SECRET, most=1)

    with pytest.raises(ServiceKeyRefused):
        keys.add(WIKI, secret="another", most=1)
