"""Why the storage cannot be used at all; an outage is `flows.errors.StorageFailed`.

StoreError
├── DatabaseURLInvalid    DATABASE_URL names nothing that can be opened
└── CipherError           a secret at rest that none of our keys opens
"""

from __future__ import annotations


class StoreError(Exception):
    """Base of the storage's own failures."""


class DatabaseURLInvalid(StoreError):
    """The URL names no database that can be opened. Never holds its password."""


class CipherError(StoreError):
    """A sealed value was changed, moved, or sealed under a key that we do not have."""
