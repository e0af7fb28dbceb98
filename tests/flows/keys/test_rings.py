from __future__ import annotations

import json
import logging
import threading
from dataclasses import dataclass, field
from functools import cache

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from app.atproto.crypto.keys import SigningKey
from app.atproto.errors import KeyUnavailable
from app.flows.errors import SigningKeyRefused, StorageFailed
from app.flows.keys.rings import (
    RELOAD_EVERY,
    KeyRings,
    PrepareKeys,
    parse_signing_key,
)
from app.flows.ports import StoredKey
from app.tokens.errors import SigningKeyMissing

TOKEN_LIFETIME = 86_400.0


@cache
def key(name: str, alg: str = "ES256") -> SigningKey:
    return SigningKey.generate(alg)


def pem_of(signing: SigningKey, encryption=None) -> bytes:
    return signing._native.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()
    )


def jwk_of(signing: SigningKey) -> bytes:
    return json.dumps(signing.private_jwk()).encode()


@dataclass
class FakeKeys:
    """Rings in a list, with the one place for each that the database guards."""

    stored: list[StoredKey] = field(default_factory=list)
    reads: int = 0
    fails: bool = False
    meanwhile: list[StoredKey] = field(default_factory=list)

    def list(self, ring):
        self.reads += 1
        if self.fails:
            raise StorageFailed("down")
        order = ["active", "next", "retired"]
        ours = [stored for stored in self.stored if stored.ring == ring]
        return sorted(ours, key=lambda s: (order.index(s.status), -s.created_at))

    def add(self, stored):
        """Add; a racing process (`meanwhile`) was faster."""
        self.stored += self.meanwhile
        self.meanwhile = []
        if stored.status != "retired" and self._place(stored) in map(
            self._place, self.stored
        ):
            return False
        if (stored.ring, stored.kid) in ((s.ring, s.kid) for s in self.stored):
            return False
        self.stored.append(stored)
        return True

    @staticmethod
    def _place(stored):
        return stored.ring, stored.alg, stored.status


@dataclass
class FakeAudit:
    """Remembers what was recorded."""

    events: list[tuple] = field(default_factory=list)

    def record(self, event, *, now, did=None, sid=None, detail=None):
        self.events.append((event, detail))


@pytest.fixture
def keys():
    return FakeKeys()


@pytest.fixture
def audit():
    return FakeAudit()


@pytest.fixture
def prepare(keys, audit, clock):
    return PrepareKeys(keys=keys, audit=audit, clock=clock).prepare


@pytest.fixture
def rings(keys, clock):
    return KeyRings(
        keys=keys, clock=clock, algorithm="ES256", token_lifetime=TOKEN_LIFETIME
    )


def stored(name, ring="platform", status="active", **changes):
    signing = changes.pop("key", None) or key(name)
    fields = {"created_at": 1.0, "alg": signing.alg, **changes}
    return StoredKey(kid=signing.kid, ring=ring, status=status, key=signing, **fields)


# --- the first keys -------------------------------------------------------------------


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_an_empty_ring_gets_a_key_that_signs(prepare, keys, audit, clock, alg):
    added = prepare("platform", alg)

    assert keys.stored == [added]
    assert (added.alg, added.status, added.ring) == (alg, "active", "platform")
    assert (added.kid, added.key.alg) == (added.key.thumbprint, alg)
    assert (added.created_at, added.activated_at) == (clock(), clock())
    assert audit.events == [
        ("key_added", {"ring": "platform", "kid": added.kid, "status": "active"})
    ]


def test_a_ring_that_can_sign_is_left_alone(prepare, keys, audit):
    keys.stored = [stored("first")]

    assert prepare("platform", "ES256") is None
    assert keys.stored == [stored("first")]
    assert audit.events == []


def test_a_ring_that_signs_with_another_algorithm_gets_a_key_beside_it(prepare, keys):
    keys.stored = [stored("first")]

    added = prepare("platform", "EdDSA")

    assert added.status == "active"
    assert keys.stored == [stored("first"), added]


def test_a_key_of_the_other_ring_does_not_count(prepare, keys):
    keys.stored = [stored("first", ring="client")]

    assert prepare("platform", "ES256") is not None


def test_second_process_adds_no_first_key(prepare, keys, audit):
    keys.meanwhile = [stored("first")]

    assert prepare("platform", "ES256") is None
    assert keys.stored == [stored("first")]
    assert audit.events == []


# --- keys brought along ---------------------------------------------------------------


@pytest.mark.parametrize("form", [pem_of, jwk_of])
def test_an_imported_key_signs_when_the_ring_is_empty(prepare, keys, form):
    added = prepare("client", "ES256", imported=form(key("own")))

    assert (added.kid, added.status, added.key) == (
        key("own").kid,
        "active",
        key("own"),
    )


def test_an_imported_key_waits_when_another_one_signs(prepare, keys):
    keys.stored = [stored("first")]

    added = prepare("platform", "ES256", imported=jwk_of(key("own")))

    assert (added.kid, added.status, added.activated_at) == (
        key("own").kid,
        "next",
        None,
    )


@pytest.mark.parametrize("status", ["active", "next", "retired"])
def test_importing_a_key_again_changes_nothing(prepare, keys, status):
    keys.stored = [stored("own", status=status)]

    assert prepare("platform", "ES256", imported=jwk_of(key("own"))) is None
    assert keys.stored == [stored("own", status=status)]


def test_processes_that_import_the_same_key_together_import_it_once(prepare, keys):
    keys.meanwhile = [stored("own")]

    assert prepare("platform", "ES256", imported=jwk_of(key("own"))) is None
    assert keys.stored == [stored("own")]


def test_a_ring_takes_no_third_key(prepare, keys):
    keys.stored = [stored("first"), stored("second", status="next")]

    with pytest.raises(SigningKeyRefused, match="waits"):
        prepare("platform", "ES256", imported=jwk_of(key("own")))


def test_another_key_under_a_known_key_id_is_refused(prepare, keys):
    own = SigningKey.generate("ES256", kid="mine")
    other = SigningKey.generate("ES256", kid="mine")
    keys.stored = [stored("mine", key=own)]

    with pytest.raises(SigningKeyRefused, match="another key"):
        prepare("platform", "ES256", imported=jwk_of(other))


def test_a_key_of_another_algorithm_than_the_ring_needs_is_refused(prepare):
    with pytest.raises(SigningKeyRefused, match="needs RS256"):
        prepare("platform", "RS256", imported=jwk_of(key("own")))


def test_a_jwk_keeps_its_own_key_id_and_pem_gets_the_thumbprint():
    named = SigningKey.generate("ES256", kid="2026-summer")

    assert parse_signing_key(jwk_of(named)).kid == "2026-summer"
    assert parse_signing_key(pem_of(named)).kid == named.thumbprint


def test_white_space_around_a_key_does_no_harm():
    assert parse_signing_key(b"\n " + jwk_of(key("own")) + b"\n") == key("own")
    assert parse_signing_key(pem_of(key("own")) + b"\n\n") == key("own")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"nonsense",
        b"\xff\xfe",
        b"{",
        b"{}",
        b'{"kty": "EC"}',
        json.dumps(key("own").public_jwk()).encode(),
        json.dumps({"keys": [key("own").private_jwk()]}).encode(),
        json.dumps({**key("own").private_jwk(), "use": "enc"}).encode(),
        pem_of(key("own"), BestAvailableEncryption(b"passphrase")),
    ],
)
def test_parse_signing_key_without_a_private_key_is_refused(raw):
    with pytest.raises(SigningKeyRefused):
        parse_signing_key(raw)


def test_a_refusal_never_quotes_the_key():
    secret = key("own").private_jwk()["d"]

    with pytest.raises(SigningKeyRefused) as refused:
        parse_signing_key(b"{" + secret.encode())

    assert secret not in str(refused.value)
    assert refused.value.__cause__ is None


# --- the snapshot ---------------------------------------------------------------------


def test_the_platform_ring_signs_with_its_active_key_and_publishes_all(rings, keys):
    keys.stored = [
        stored("active"),
        stored("next", status="next"),
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

    clock.advance(2 * RELOAD_EVERY)

    assert rings.platform().published == (key("active"),)


def test_a_ring_without_a_key_of_the_algorithm_verifies_and_does_not_sign(rings, keys):
    keys.stored = [stored("ed", key=key("ed", "EdDSA"))]

    ring = rings.platform()

    assert ring.signing is None
    assert ring.published == (key("ed", "EdDSA"),)


def test_the_client_signs_with_its_active_key_and_announces_the_next(rings, keys):
    keys.stored = [
        stored("active", ring="client"),
        stored("next", ring="client", status="next"),
        stored("retired", ring="client", status="retired", retired_at=1.0),
    ]

    client = rings.client()

    assert client.primary() == key("active")
    assert client.get(key("retired").kid) == key("retired")
    with pytest.raises(KeyUnavailable):
        client.get(key("next").kid)
    assert {jwk["kid"] for jwk in client.public_jwks()["keys"]} == {
        key(name).kid for name in ("active", "next", "retired")
    }


def test_a_client_ring_without_an_active_key_is_no_client(rings, keys):
    keys.stored = [stored("next", ring="client", status="next")]

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


def test_a_new_key_is_noticed_within_ten_seconds_and_not_looked_for_before(
    rings, keys, clock
):
    keys.stored = [stored("first")]
    rings.platform()
    reads = keys.reads
    keys.stored = [stored("first"), stored("second", status="next")]
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


def test_a_database_that_is_down_is_asked_once_in_ten_seconds(rings, keys, clock):
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
