"""Client assertions on both databases: each is good once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from app.stores.provider.assertions import SqlAssertions
from app.stores.sweep import SqlExpired
from tests.fakes.clock import NOON


def test_assertion_is_good_once_for_each_client(database):
    assertions = SqlAssertions(database)

    assert assertions.use("app", "one", expires_at=NOON + 60)
    assert not assertions.use("app", "one", expires_at=NOON + 90)
    assert assertions.use("app", "two", expires_at=NOON + 60)
    assert assertions.use("other", "one", expires_at=NOON + 60)


def test_assertion_goes_to_one_of_those_who_race_with_it(database):
    assertions = SqlAssertions(database)

    def use(_):
        return assertions.use("app", "one", expires_at=NOON + 60)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(use, range(8))) == 1


def test_assertion_is_kept_to_the_end_of_its_last_second(database):
    assertions = SqlAssertions(database)
    assertions.use("app", "one", expires_at=NOON + 60.9)

    assert SqlExpired(database).delete("provider_assertions", NOON + 60.5) == 0
    assert not assertions.use("app", "one", expires_at=NOON + 60.9)


def test_assertions_that_are_over_are_swept(database):
    assertions = SqlAssertions(database)
    assertions.use("app", "old", expires_at=NOON)
    assertions.use("app", "young", expires_at=NOON + 61)

    assert SqlExpired(database).delete("provider_assertions", NOON + 60) == 1
    assert not assertions.use("app", "young", expires_at=NOON + 61)
