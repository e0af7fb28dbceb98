"""Storage errors; an outage is `flows.errors.StorageUnavailable`.

StoreError
├── DatabaseURLInvalid    DATABASE_URL names no database that we can open
├── DecryptionFailed      an encrypted value that none of our keys decrypts
└── SchemaMismatch        another release made the tables, or there are none
"""

from __future__ import annotations

from app.flows.errors import StorageUnavailable


class DatabaseURLInvalid(Exception):
    """DATABASE_URL names no database that we can open. Never holds its password."""


class DecryptionFailed(StorageUnavailable):
    """An encrypted value was changed or moved, or its key is not configured."""


class SchemaMismatch(StorageUnavailable):
    """The tables are not those of this release; says which command helps."""
