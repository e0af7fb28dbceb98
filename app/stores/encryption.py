"""Secrets at rest: encrypted when we need them again, hashed when we only compare.

Encryption is AES-256-GCM under keys derived from SECRET_KEY (requirement 7.23). Table,
row and column are the associated data, so that a value does not decrypt in another
place. An encrypted value is `v1.KEY.BYTES`: KEY names the key, so that the fallbacks of
SECRET_KEY decrypt older values after a rotation. Nonces are random, which is safe for
about 2^32 values under one key.
"""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .errors import DecryptionFailed

VERSION = "v1"
NONCE_BYTES = 12
KEY_BYTES = 32
KEY_ID_BYTES = 4
FINGERPRINT_LENGTH = 2 * KEY_ID_BYTES
"""Characters of a key's fingerprint, the KEY of its values."""


def aad_of(table: str, *identity: str, column: str = "secrets") -> str:
    """Return the associated data of a value: its table, row and column."""
    return json.dumps([table, *identity, column])


class Cipher:
    """Encrypts with the first key, decrypts with any."""

    def __init__(self, secret_key: bytes, fallbacks: Sequence[bytes] = ()) -> None:
        keys = [_derive(secret) for secret in (secret_key, *fallbacks)]
        self._primary_id = keys[0][0]
        # Reversed: should two key ids ever be equal, the newer key wins.
        self._keys = dict(reversed(keys))

    @property
    def fingerprints(self) -> Sequence[str]:
        """The fingerprints of the keys, the one that encrypts first."""
        return [
            self._primary_id,
            *(key for key in reversed(self._keys) if key != self._primary_id),
        ]

    def encrypt(self, plaintext: bytes | str, *, aad: str) -> str:
        """Encrypt a value; `aad` is the place that `aad_of` names."""
        if isinstance(plaintext, str):
            plaintext = plaintext.encode()
        nonce = secrets.token_bytes(NONCE_BYTES)
        key = self._keys[self._primary_id]
        raw = nonce + key.encrypt(nonce, plaintext, aad.encode())
        return f"{VERSION}.{self._primary_id}.{urlsafe_b64encode(raw).decode()}"

    def decrypt(self, encrypted: str, *, aad: str) -> bytes:
        """Decrypt a value.

        Raises:
            DecryptionFailed: it was changed or moved, or its key is not configured.
        """
        version, key_id, encoded = _split(encrypted)
        key = self._keys.get(key_id)
        if version != VERSION or key is None:
            raise DecryptionFailed(
                f"encrypted under the key {key_id[:FINGERPRINT_LENGTH]!r}, which is "
                "not among the secret keys: set it as LATCHKEY_SECRET_KEY or among "
                "LATCHKEY_SECRET_KEY_FALLBACKS"
            )
        try:
            raw = urlsafe_b64decode(encoded)
            nonce, ciphertext = raw[:NONCE_BYTES], raw[NONCE_BYTES:]
            return key.decrypt(nonce, ciphertext, aad.encode())
        except (InvalidTag, ValueError) as error:
            raise DecryptionFailed("changed, or encrypted for another place") from error


def _split(encrypted: str) -> tuple[str, str, str]:
    version, _, rest = encrypted.partition(".")
    key_id, _, encoded = rest.partition(".")
    return version, key_id, encoded


def _derive(secret: bytes) -> tuple[str, AESGCM]:
    # The id is separate output of the derivation and reveals nothing about the key.
    material = HKDF(
        algorithm=SHA256(),
        length=KEY_BYTES + KEY_ID_BYTES,
        salt=None,
        info=b"latchkey secrets at rest",
    ).derive(secret)
    return material[KEY_BYTES:].hex(), AESGCM(material[:KEY_BYTES])
