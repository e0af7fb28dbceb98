"""Secrets at rest: sealed when they are needed again, hashed when only compared.

Sealed is AES-256-GCM under keys derived from SECRET_KEY (requirement 7.23).
The place of a value is its associated data, so that a sealed value moved to another
row, column or table does not open. A sealed value is `v1.KEY.BYTES`: KEY names the key
that opens it, so that after a rotation the fallbacks open what they sealed. Nonces are
random: good for some four thousand million values under one key.
"""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .errors import CipherError

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION = "v1"
NONCE_BYTES = 12
KEY_BYTES = 32
KEY_ID_BYTES = 4


def place(table: str, *identity: str, column: str = "secrets") -> str:
    """Name the place of a value; no two places share a name."""
    return json.dumps([table, *identity, column])


class Cipher:
    """Seals with the first key, opens with any."""

    def __init__(self, secret_key: bytes, fallbacks: Sequence[bytes] = ()) -> None:
        keys = [_derive(secret) for secret in (secret_key, *fallbacks)]
        self._primary_id = keys[0][0]
        # Reversed: should two key ids ever be equal, the newer key wins.
        self._keys = dict(reversed(keys))

    def seal(self, plaintext: bytes | str, *, context: str) -> str:
        """Encrypt a value for one place."""
        if isinstance(plaintext, str):
            plaintext = plaintext.encode()
        nonce = secrets.token_bytes(NONCE_BYTES)
        key = self._keys[self._primary_id]
        sealed = nonce + key.encrypt(nonce, plaintext, context.encode())
        return f"{VERSION}.{self._primary_id}.{urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, *, context: str) -> bytes:
        """Decrypt the value of a place.

        Raises:
            CipherError: it was changed, belongs elsewhere, or its key is gone.
        """
        version, key_id, encoded = _split(sealed)
        key = self._keys.get(key_id)
        if version != VERSION or key is None:
            raise CipherError("sealed under a key that is not among the secret keys")
        try:
            raw = urlsafe_b64decode(encoded)
            nonce, ciphertext = raw[:NONCE_BYTES], raw[NONCE_BYTES:]
            return key.decrypt(nonce, ciphertext, context.encode())
        except (InvalidTag, ValueError) as error:
            raise CipherError("changed, or sealed for another place") from error


def _split(sealed: str) -> tuple[str, str, str]:
    version, _, rest = sealed.partition(".")
    key_id, _, encoded = rest.partition(".")
    return version, key_id, encoded


def _derive(secret: bytes) -> tuple[str, AESGCM]:
    # The id is other output of the same derivation: it tells nothing about the key.
    material = HKDF(
        algorithm=SHA256(),
        length=KEY_BYTES + KEY_ID_BYTES,
        salt=None,
        info=b"latchkey secrets at rest",
    ).derive(secret)
    return material[KEY_BYTES:].hex(), AESGCM(material[:KEY_BYTES])
