"""Auth requests: logins that wait for their callback, each taken exactly once.

The key of a row is the hash of `state`, so that a reader of the database cannot finish
a login. PKCE verifier, DPoP key, nonce and application state are encrypted.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import text

from app.atproto.crypto.encoding import sha256_hex
from app.atproto.crypto.keys import SigningKey
from app.atproto.errors import BrowserMismatch
from app.atproto.records import AuthRequest
from app.atproto.stores.protocols import BrowserStateStore
from app.stores.encryption import Cipher
from app.stores.sql.database import Database
from app.stores.sql.quick import MappedRow
from app.stores.sql.records import (
    EncryptedFields,
    columns_of,
    fetching,
    insert_into,
    row_of,
)
from app.stores.sql.row_bounds import RowBound

from .callback_answers import reserve

SECRETS = ("code_verifier", "dpop_key", "as_nonce", "app_state")
COLUMN_OF = {"browser_secret_hash": "binding", "verified_at": "evidence_at"}
"""Columns that are named differently from their field."""

COLUMNS = (
    "state_hash",
    *columns_of(AuthRequest, encrypted=SECRETS, without=("state",), named=COLUMN_OF),
)

PUT = text(insert_into("oauth_auth_requests", COLUMNS))
GET = fetching(
    COLUMNS, "SELECT {columns} FROM oauth_auth_requests WHERE state_hash = :state_hash"
)
TAKE = fetching(
    COLUMNS,
    "DELETE FROM oauth_auth_requests WHERE state_hash = :state_hash"
    " RETURNING {columns}",
)


class SqlStateStore(BrowserStateStore):
    """Auth requests in a table."""

    def __init__(
        self, database: Database, cipher: Cipher, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._secrets = EncryptedFields(cipher, "oauth_auth_requests", SECRETS)
        self._clock = clock
        self._bound = RowBound("oauth_auth_requests")

    def put(self, request: AuthRequest) -> None:
        """Store a new auth request. Raises `StorageFailed` if the state exists.

        The commit does not wait for the disk: a login that a power cut loses is begun
        again.
        """
        row = self._row_of(request)
        with self._database.quick_write(durable=False) as connection:
            connection.execute(PUT, row)
            self._bound.after_write(connection)

    def get(self, state: str) -> AuthRequest | None:
        """Return an unexpired auth request without consuming it, or None."""
        with self._database.quick_read() as connection:
            result = connection.execute(GET, {"state_hash": sha256_hex(state)})
            found = result.mappings().one_or_none()
        return self._request_of(found, state)

    def take(self, state: str) -> AuthRequest | None:
        """Delete and return an unexpired auth request, once (requirement 6.3)."""
        with self._database.quick_write() as connection:
            result = connection.execute(TAKE, {"state_hash": sha256_hex(state)})
            taken = result.mappings().one_or_none()
        return self._request_of(taken, state)

    def take_if(
        self, state: str, matches: Callable[[str | None, float], bool]
    ) -> AuthRequest | None:
        """Delete and return an unexpired auth request if its browser matches.

        The same transaction reserves the callback's answer for that browser.

        Raises:
            BrowserMismatch: the browser does not match; nothing was deleted.
        """
        state_hash = sha256_hex(state)
        with self._database.quick_write() as connection:
            result = connection.execute(TAKE, {"state_hash": state_hash})
            taken = result.mappings().one_or_none()
            if taken is None:
                return None
            if not matches(taken["binding"], taken["created_at"]):
                # Raised inside, so that it undoes the deletion.
                raise BrowserMismatch("another browser began this login")
            if taken["expires_at"] > self._clock():
                reserve(connection, state_hash, taken["binding"], now=self._clock())
        return self._request_of(taken, state)

    def _row_of(self, request: AuthRequest) -> dict[str, Any]:
        row = row_of(request, named=COLUMN_OF)
        state_hash = sha256_hex(row.pop("state"))
        row["server"] = json.dumps(dict(request.server))
        row["dpop_key"] = request.dpop_key.private_jwk()
        return {**self._secrets.encrypt(row, state_hash), "state_hash": state_hash}

    def _request_of(self, row: MappedRow | None, state: str) -> AuthRequest | None:
        if row is None or row["expires_at"] <= self._clock():
            return None
        values = self._secrets.decrypt(row, row["state_hash"])
        del values["state_hash"]
        for name, column in COLUMN_OF.items():
            values[name] = values.pop(column)
        values["server"] = json.loads(values["server"])
        values["dpop_key"] = SigningKey.from_jwk(values["dpop_key"])
        return AuthRequest(state=state, **values)
