"""SHA-256 and base64url, for the library and the service."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode


def sha256_hex(text: str) -> str:
    """Return the SHA-256 of a text in hexadecimal.

    Under it a random secret is stored that is only compared, never used again.
    """
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_base64url(text: str) -> str:
    """Return the SHA-256 of a text in base64url: `ath`, JWK thumbprints."""
    return base64url(hashlib.sha256(text.encode()).digest())


def base64url(data: bytes) -> str:
    """Return bytes in base64url without padding (RFC 7515 section 2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()
