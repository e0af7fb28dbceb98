"""Storage errors; an outage is `flows.errors.StorageFailed`.

StoreError
├── DatabaseURLInvalid    DATABASE_URL names no database that we can open
└── DecryptionFailed      an encrypted value that none of our keys decrypts
"""

from __future__ import annotations

from app.flows.errors import StorageFailed


class DatabaseURLInvalid(Exception):
    """DATABASE_URL names no database that we can open. Never holds its password."""


class DecryptionFailed(StorageFailed):
    """An encrypted value was changed or moved, or its key is not configured."""
