from __future__ import annotations

import logging
import threading

import pytest

from app.atproto.errors import KeyUnavailable
from app.flows.errors import StorageFailed
from app.flows.keys.life_cycle import ANNOUNCED, RELOAD_EVERY, RETIRED_MARGIN
from app.flows.keys.rings import REREAD_AFTER, KeyRings
from app.tokens.errors import SigningKeyMissing
from tests.flows.keys.memory import TOKEN_LIFETIME, FakeKeys, key, stored


@pytest.fixture
def rings(keys, clock):
    return KeyRings(
        keys=keys, clock=clock, algorithm="ES256", token_lifetime=TOKEN_LIFETIME
    )


# --- the snapshot ---------------------------------------------------------------------


def test_the_platform_ring_signs_with_its_active_key_and_publishes_all(
    rings, keys, clock
):
    keys.stored = [
        stored("active"),
        stored("next", status="next", created_at=clock()),
        stored("retired", status="retired", retired_at=2e9),
    ]

    ring = rings.platform()

    assert ring.signing == key("active")
    assert ring.published == (key("active"), key("next"), key("retired"))


def test_a_retired_key_is_published_as_long_as_its_tokens_may_live(rings, keys, clock):
    retired = stored("retired", status="retired", retired_at=clock())
    keys.stored = [stored("active"), retired]
    clock.advance(TOKEN_LIFETIME)

    assert key("retired") in rings.platform().published

    clock.advance(RETIRED_MARGIN)

    assert rings.platform().published == (key("active"),)


def test_a_ring_without_a_key_of_the_algorithm_verifies_and_does_not_sign(rings, keys):
    keys.stored = [stored("ed", key=key("ed", "EdDSA"))]

    ring = rings.platform()

    assert ring.signing is None
    assert ring.published == (key("ed", "EdDSA"),)


def test_the_client_begins_sessions_with_its_active_key_and_announces_the_next(
    rings, keys, clock
):
    keys.stored = [
        stored("active", ring="client"),
        stored("next", ring="client", status="next", created_at=clock()),
        stored("retired", ring="client", status="retired", retired_at=1.0),
    ]

    client = rings.client()

    assert client.primary() == key("active")
    assert client.get(key("retired").kid) == key("retired")
    # A node whose clock is ahead may have begun a session with it.
    assert client.get(key("next").kid) == key("next")
    assert {jwk["kid"] for jwk in client.public_jwks()["keys"]} == {
        key(name).kid for name in ("active", "next", "retired")
    }


def test_a_client_ring_without_an_active_key_is_no_client(rings, keys, clock):
    keys.stored = [stored("next", ring="client", status="next", created_at=clock())]

    with pytest.raises(SigningKeyMissing, match="client"):
        rings.client()


def test_platform_ring_with_a_shared_secret_reads_no_store(keys, clock):
    keys.fails = True
    rings = KeyRings(
        keys=keys,
        clock=clock,
        algorithm="HS256",
        token_lifetime=TOKEN_LIFETIME,
        secret=bytes(range(32)),
    )

    assert rings.platform().signing.alg == "HS256"
    assert rings.platform().jwks() == {"keys": []}


def test_a_new_key_is_noticed_within_five_seconds_and_not_looked_for_before(
    rings, keys, clock
):
    keys.stored = [stored("first")]
    rings.platform()
    reads = keys.reads
    second = stored("second", status="next", created_at=clock())
    keys.stored = [stored("first"), second]
    clock.advance(RELOAD_EVERY - 1)

    assert rings.platform().published == (key("first"),)
    assert keys.reads == reads

    clock.advance(1)

    assert rings.platform().published == (key("first"), key("second"))


def test_a_snapshot_stays_the_same_while_nothing_changes(rings, keys, clock):
    keys.stored = [stored("first")]
    before = rings.platform()
    clock.advance(RELOAD_EVERY)

    assert rings.platform() is before


def test_a_clock_that_is_set_back_does_not_stop_the_reloading(rings, keys, clock):
    keys.stored = [stored("first")]
    rings.platform()
    keys.stored = [stored("second")]
    clock.advance(-3600)

    assert rings.platform().signing == key("second")


def test_the_last_keys_serve_on_while_the_database_is_down(rings, keys, clock, caplog):
    keys.stored = [stored("first"), stored("client", ring="client")]
    rings.platform()
    keys.fails = True

    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            clock.advance(RELOAD_EVERY)
            assert rings.platform().signing == key("first")
            assert rings.client().primary() == key("client")

    assert len(caplog.records) == 1


def test_a_database_that_is_back_is_heard_and_its_next_failure_is_logged(
    rings, keys, clock, caplog
):
    keys.stored = [stored("first")]
    rings.platform()
    with caplog.at_level(logging.WARNING):
        for fails in (True, False, True):
            keys.fails = fails
            clock.advance(RELOAD_EVERY)
            rings.platform()

    assert len(caplog.records) == 2


def test_a_database_that_is_down_is_asked_once_in_five_seconds(rings, keys, clock):
    keys.stored = [stored("first")]
    rings.platform()
    keys.fails = True
    clock.advance(RELOAD_EVERY)
    rings.platform()
    reads = keys.reads
    rings.platform()

    assert keys.reads == reads


def test_without_ever_having_seen_the_database_there_are_no_keys(rings, keys):
    keys.fails = True
    with pytest.raises(StorageFailed):
        rings.platform()

    keys.fails = False
    keys.stored = [stored("first")]
    assert rings.platform().signing == key("first")


def test_key_ring_is_served_while_another_thread_reloads(keys, clock):
    def ask():
        answers.append(rings.platform().signing)

    class BusyKeys(FakeKeys):
        """A database that answers when another caller was served meanwhile."""

        def list(self, ring):
            if self.reads == 2:  # the second load has begun
                other.start()
                other.join(30)
            return super().list(ring)

    answers = []
    other = threading.Thread(target=ask)
    rings = KeyRings(
        keys=BusyKeys([stored("first")]),
        clock=clock,
        algorithm="ES256",
        token_lifetime=TOKEN_LIFETIME,
    )
    rings.platform()
    clock.advance(RELOAD_EVERY)
    ask()
    waited = other.is_alive()
    other.join()

    assert not waited
    assert answers == [key("first")] * 2


def test_slow_load_does_not_bring_a_dropped_key_back(keys, clock):
    class SlowKeys(FakeKeys):
        """A database whose answer to the second load arrives after the third load."""

        def list(self, ring):
            answer = super().list(ring)
            if self.reads == 4:  # the client ring, for the second load
                self.stored = [stored("first")]
                clock.advance(RELOAD_EVERY)
                assert not rings.platform().has(key("leaked").kid)
            return answer

    leaked = stored("leaked", status="retired", retired_at=2e9)
    rings = KeyRings(
        keys=SlowKeys([stored("first"), leaked]),
        clock=clock,
        algorithm="ES256",
        token_lifetime=TOKEN_LIFETIME,
    )
    rings.platform()
    clock.advance(RELOAD_EVERY)

    assert not rings.platform().has(key("leaked").kid)


# --- rotation -------------------------------------------------------------------------


@pytest.mark.parametrize("ring", ["platform", "client"])
def test_next_key_signs_by_itself_once_every_cache_can_know_it(
    rings, keys, clock, ring
):
    keys.stored = [
        stored("first", ring=ring),
        stored("second", ring=ring, status="next", created_at=clock()),
        stored("other", ring="platform" if ring == "client" else "client"),
    ]

    def signing():
        is_client = ring == "client"
        return rings.client().primary() if is_client else rings.platform().signing

    clock.advance(ANNOUNCED[ring] - 1)
    before = signing()
    clock.advance(RELOAD_EVERY)

    assert (before, signing()) == (key("first"), key("second"))


def test_key_before_the_next_one_is_published_until_its_tokens_have_ended(
    rings, keys, clock
):
    keys.stored = [
        stored("first"),
        stored("second", status="next", created_at=clock()),
    ]
    clock.advance(ANNOUNCED["platform"] + TOKEN_LIFETIME + RETIRED_MARGIN - 1)

    assert set(rings.platform().published) == {key("first"), key("second")}

    clock.advance(RELOAD_EVERY)

    assert rings.platform().published == (key("second"),)


def test_session_bound_to_the_client_key_before_still_finds_it(rings, keys, clock):
    keys.stored = [
        stored("first", ring="client"),
        stored("second", ring="client", status="next", created_at=clock()),
    ]
    clock.advance(400 * 86_400)

    assert rings.client().primary() == key("second")
    assert rings.client().get(key("first").kid) == key("first")


# --- a key that another node has just made or dropped ---------------------------------


def test_dropped_key_is_gone_after_the_next_reload(rings, keys, clock):
    keys.stored = [stored("first"), stored("leaked", status="retired", retired_at=2e9)]
    assert rings.platform().has(key("leaked").kid)
    keys.stored = [stored("first")]
    clock.advance(RELOAD_EVERY)

    assert not rings.platform().has(key("leaked").kid)


def test_unknown_client_key_is_looked_for_before_its_session_ends(rings, keys):
    """However short ago the rings were read."""
    keys.stored = [stored("first", ring="client")]
    rings.client()
    keys.stored = [stored("second", ring="client"), stored("first", ring="client")]

    assert rings.client().get(key("second").kid) == key("second")


def test_unknown_client_key_is_not_gone_while_the_database_is_down(rings, keys, clock):
    keys.stored = [stored("first", ring="client")]
    rings.client()
    keys.stored = [stored("second", ring="client"), stored("first", ring="client")]
    keys.fails = True
    clock.advance(RELOAD_EVERY)
    rings.client()  # notices the outage

    with pytest.raises(StorageFailed):
        rings.client().get(key("second").kid)
    keys.fails = False
    assert rings.client().get(key("second").kid) == key("second")


def test_client_key_that_is_gone_costs_one_read_of_both_rings(rings, keys):
    keys.stored = [stored("first", ring="client")]
    rings.client()
    reads = keys.reads

    with pytest.raises(KeyUnavailable):
        rings.client().get("gone")

    assert keys.reads == reads + 2


def test_reread_platform_finds_a_key_of_another_node_before_the_reload(
    rings, keys, clock
):
    keys.stored = [stored("first")]
    rings.platform()
    keys.stored = [stored("second"), stored("first", status="retired", retired_at=2e9)]
    clock.advance(REREAD_AFTER)

    assert rings.reread_platform().has(key("second").kid)


def test_reread_platform_reads_once_a_second_for_any_number_of_calls(
    rings, keys, clock
):
    keys.stored = [stored("first")]
    rings.platform()
    reads = keys.reads

    for _ in range(5):
        rings.reread_platform()

    assert keys.reads == reads


def test_reread_platform_does_not_ask_a_database_that_is_down(rings, keys, clock):
    keys.stored = [stored("first")]
    rings.platform()
    keys.fails = True
    clock.advance(RELOAD_EVERY)
    rings.platform()
    reads = keys.reads
    clock.advance(REREAD_AFTER)

    rings.reread_platform()

    assert keys.reads == reads


# --- id_tokens: RS256 with each TOKEN_ALGORITHM ---------------------------------------


def test_id_tokens_are_signed_with_rs256_beside_the_algorithm_of_the_ring(rings, keys):
    keys.stored = [stored("own"), stored("id", key=key("id", "RS256"))]

    assert rings.platform().signing == key("own")
    assert rings.id_tokens().signing == key("id", "RS256")
    assert rings.id_tokens().published == (key("id", "RS256"),)
    assert set(rings.published().published) == {key("own"), key("id", "RS256")}


def test_secret_of_hs256_is_not_published_and_verifies_no_rs256(keys, clock):
    rings = KeyRings(
        keys=keys,
        clock=clock,
        algorithm="HS256",
        token_lifetime=TOKEN_LIFETIME,
        secret=bytes(32),
    )
    rs256 = key("id", "RS256")
    keys.stored = [stored("id", key=rs256), stored("former")]

    assert rings.published().published == (rs256,)
    assert not rings.platform().has(rs256.kid)
    assert rings.id_tokens().signing == rs256
