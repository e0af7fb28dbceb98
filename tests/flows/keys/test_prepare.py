from __future__ import annotations

import json
import logging
from functools import partial

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from app.atproto.crypto.keys import SigningKey
from app.flows.errors import SigningKeyRefused
from app.flows.keys.prepare import PrepareKeys, parse_signing_key
from app.flows.operator import Operator
from tests.flows.keys.memory import key, stored


def pem_of(signing: SigningKey, encryption=None) -> bytes:
    return signing._native.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()
    )


def jwk_of(signing: SigningKey) -> bytes:
    return json.dumps(signing.private_jwk()).encode()


@pytest.fixture
def prepare(change):
    return partial(PrepareKeys(change=change).prepare, operator=Operator("carol"))


# --- the first keys -------------------------------------------------------------------


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_an_empty_ring_gets_a_key_that_signs(prepare, keys, audit, clock, alg):
    added = prepare("platform", alg)

    assert keys.stored == [added]
    assert (added.alg, added.status, added.ring) == (alg, "active", "platform")
    assert (added.kid, added.key.alg) == (added.key.thumbprint, alg)
    assert (added.created_at, added.activated_at) == (clock(), clock())
    detail = {"ring": "platform", "kid": added.kid, "status": "active"}
    assert audit.events == [("key_added", {**detail, "operator": "carol"})]


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


def test_key_that_was_deleted_from_its_ring_is_not_imported_again(
    prepare, keys, audit, caplog
):
    keys.stored = [stored("first")]
    keys.former = {key("own").thumbprint}

    with caplog.at_level(logging.WARNING):
        assert prepare("platform", "ES256", imported=jwk_of(key("own"))) is None

    assert keys.stored == [stored("first")]
    assert "not imported again" in caplog.text


def test_empty_ring_gets_a_new_key_in_place_of_a_deleted_one(prepare, keys):
    keys.former = {key("own").thumbprint}

    added = prepare("platform", "ES256", imported=jwk_of(key("own")))

    assert (added.status, added.kid != key("own").kid) == ("active", True)


def test_processes_that_import_the_same_key_together_import_it_once(prepare, keys):
    keys.meanwhile = [stored("own")]

    assert prepare("platform", "ES256", imported=jwk_of(key("own"))) is None
    assert keys.stored == [stored("own")]


def test_a_ring_takes_no_third_key(prepare, keys, clock):
    keys.stored = [
        stored("first"),
        stored("second", status="next", created_at=clock()),
    ]

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
