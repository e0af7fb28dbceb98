from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.atproto.crypto.encoding import sha256_hex
from app.flows.errors import StorageFailed
from app.stores.encryption import Cipher, aad_of
from app.stores.errors import DecryptionFailed

OLD, NEW = b"o" * 32, b"n" * 32
HERE = aad_of("oauth_sessions", "did:plc:alice", "grant-1")


@given(st.binary())
def test_decrypt_returns_what_encrypt_was_given(plaintext):
    cipher = Cipher(NEW)

    assert cipher.decrypt(cipher.encrypt(plaintext, aad=HERE), aad=HERE) == plaintext


def test_encrypt_takes_text_as_utf8():
    cipher = Cipher(NEW)

    assert (
        cipher.decrypt(cipher.encrypt("naïve", aad=HERE), aad=HERE) == "naïve".encode()
    )


def test_encrypting_twice_gives_different_values():
    cipher = Cipher(NEW)
    first, second = (cipher.encrypt("canary", aad=HERE) for _ in range(2))

    assert "canary" not in first
    assert first != second


@pytest.mark.parametrize(
    "elsewhere",
    [
        aad_of("oauth_sessions", "did:plc:alice", "grant-2"),
        aad_of("oauth_sessions", "did:plc:mallory", "grant-1"),
        aad_of("signing_keys", "did:plc:alice", "grant-1"),
        aad_of("oauth_sessions", "did:plc:alice", "grant-1", column="other"),
    ],
)
def test_a_value_moved_to_another_row_table_or_column_does_not_open(elsewhere):
    cipher = Cipher(NEW)

    with pytest.raises(DecryptionFailed):
        cipher.decrypt(cipher.encrypt("canary", aad=HERE), aad=elsewhere)


def test_places_whose_parts_run_together_are_still_different():
    assert aad_of("t", "a b", "c") != aad_of("t", "a", "b c")
    assert aad_of("t", 'a", "b') != aad_of("t", "a", "b")


def test_a_fallback_key_opens_what_it_sealed():
    sealed = Cipher(OLD).encrypt("canary", aad=HERE)

    assert Cipher(NEW, fallbacks=[OLD]).decrypt(sealed, aad=HERE) == b"canary"


def test_the_first_key_seals_not_a_fallback():
    sealed = Cipher(NEW, fallbacks=[OLD]).encrypt("canary", aad=HERE)

    assert Cipher(NEW).decrypt(sealed, aad=HERE) == b"canary"


def test_without_its_key_a_value_does_not_open():
    sealed = Cipher(OLD).encrypt("canary", aad=HERE)

    with pytest.raises(DecryptionFailed, match="not among the secret keys"):
        Cipher(NEW).decrypt(sealed, aad=HERE)


@pytest.mark.parametrize("position", [0, 4, 14, 20, -1])
def test_a_changed_value_does_not_open(position):
    cipher = Cipher(NEW)
    sealed = list(cipher.encrypt("canary", aad=HERE))
    sealed[position] = "A" if sealed[position] != "A" else "B"

    with pytest.raises(DecryptionFailed):
        cipher.decrypt("".join(sealed), aad=HERE)


@pytest.mark.parametrize("length", [0, 3, 13, 30])
def test_a_cut_value_does_not_open(length):
    cipher = Cipher(NEW)

    with pytest.raises(DecryptionFailed):
        cipher.decrypt(cipher.encrypt("canary", aad=HERE)[:length], aad=HERE)


def test_decryption_failed_is_a_storage_failure():
    assert issubclass(DecryptionFailed, StorageFailed)


def test_a_hash_is_sha256_in_hexadecimal():
    assert sha256_hex("abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
