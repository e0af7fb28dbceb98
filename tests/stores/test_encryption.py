from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.atproto.crypto.encoding import sha256_hex
from app.flows.errors import StorageFailed
from app.stores.encryption import Cipher, place
from app.stores.errors import CipherError

OLD, NEW = b"o" * 32, b"n" * 32
HERE = place("oauth_sessions", "did:plc:alice", "grant-1")


@given(st.binary())
def test_what_is_sealed_opens_at_its_place(plaintext):
    cipher = Cipher(NEW)

    assert cipher.open(cipher.seal(plaintext, context=HERE), context=HERE) == plaintext


def test_text_is_sealed_as_utf8():
    cipher = Cipher(NEW)

    assert (
        cipher.open(cipher.seal("naïve", context=HERE), context=HERE)
        == "naïve".encode()
    )


def test_a_sealed_value_shows_nothing_of_its_plaintext_and_is_never_the_same():
    cipher = Cipher(NEW)
    first, second = (cipher.seal("canary", context=HERE) for _ in range(2))

    assert "canary" not in first
    assert first != second


@pytest.mark.parametrize(
    "elsewhere",
    [
        place("oauth_sessions", "did:plc:alice", "grant-2"),
        place("oauth_sessions", "did:plc:mallory", "grant-1"),
        place("signing_keys", "did:plc:alice", "grant-1"),
        place("oauth_sessions", "did:plc:alice", "grant-1", column="other"),
    ],
)
def test_a_value_moved_to_another_row_table_or_column_does_not_open(elsewhere):
    cipher = Cipher(NEW)

    with pytest.raises(CipherError):
        cipher.open(cipher.seal("canary", context=HERE), context=elsewhere)


def test_places_whose_parts_run_together_are_still_different():
    assert place("t", "a b", "c") != place("t", "a", "b c")
    assert place("t", 'a", "b') != place("t", "a", "b")


def test_a_fallback_key_opens_what_it_sealed():
    sealed = Cipher(OLD).seal("canary", context=HERE)

    assert Cipher(NEW, fallbacks=[OLD]).open(sealed, context=HERE) == b"canary"


def test_the_first_key_seals_not_a_fallback():
    sealed = Cipher(NEW, fallbacks=[OLD]).seal("canary", context=HERE)

    assert Cipher(NEW).open(sealed, context=HERE) == b"canary"


def test_without_its_key_a_value_does_not_open():
    sealed = Cipher(OLD).seal("canary", context=HERE)

    with pytest.raises(CipherError, match="not among the secret keys"):
        Cipher(NEW).open(sealed, context=HERE)


@pytest.mark.parametrize("position", [0, 4, 14, 20, -1])
def test_a_changed_value_does_not_open(position):
    cipher = Cipher(NEW)
    sealed = list(cipher.seal("canary", context=HERE))
    sealed[position] = "A" if sealed[position] != "A" else "B"

    with pytest.raises(CipherError):
        cipher.open("".join(sealed), context=HERE)


@pytest.mark.parametrize("length", [0, 3, 13, 30])
def test_a_cut_value_does_not_open(length):
    cipher = Cipher(NEW)

    with pytest.raises(CipherError):
        cipher.open(cipher.seal("canary", context=HERE)[:length], context=HERE)


def test_what_does_not_open_is_an_outage_to_the_flows_not_an_absence():
    assert issubclass(CipherError, StorageFailed)


def test_a_hash_is_sha256_in_hexadecimal():
    assert sha256_hex("abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
