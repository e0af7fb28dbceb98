"""Why the storage cannot be used at all; an outage is `flows.errors.StorageFailed`.

StoreError
├── DatabaseURLInvalid    DATABASE_URL names nothing that can be opened
└── CipherError           a secret at rest that none of our keys opens
"""

from __future__ import annotations

from app.flows.errors import StorageFailed


class DatabaseURLInvalid(Exception):
    """The URL names no database that can be opened. Never holds its password."""


class CipherError(StorageFailed):
    """A sealed value was changed, moved, or sealed under a key that we do not have."""
