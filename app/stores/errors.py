"""Errors of the storage alone; what flows and `doctor` know of is in `flows.errors`."""

from __future__ import annotations

from app.flows.errors import StorageUnavailable


class DatabaseURLInvalid(Exception):
    """DATABASE_URL names no database that we can open. Never holds its password."""


class DecryptionFailed(StorageUnavailable):
    """An encrypted value was changed or moved, or its key is not configured."""
