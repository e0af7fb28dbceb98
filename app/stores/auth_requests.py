"""Auth requests: logins that wait for their callback, each taken exactly once.

A row is keyed by a hash of the state, so that whoever reads the database cannot finish
anybody's login; PKCE verifier, DPoP key, nonce and application state are sealed.
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.atproto.crypto.encoding import sha256_hex
from app.atproto.crypto.keys import SigningKey
from app.atproto.records import AuthRequest

from .records import SealedFields, fetching, row_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import RowMapping

    from app.atproto.stores.protocols import StateStore
    from app.stores.database import Database

    from .encryption import Cipher

SECRETS = ("code_verifier", "dpop_key", "as_nonce", "app_state")
COLUMN_OF = {"browser_secret_hash": "binding", "verified_at": "evidence_at"}
"""Columns that are named differently from their field."""

FIELDS = tuple(COLUMN_OF.get(field.name, field.name) for field in fields(AuthRequest))
COLUMNS = (
    "state_hash",
    "secrets",
    *(name for name in FIELDS if name not in ("state", *SECRETS)),
)

PUT = text("""
    INSERT INTO oauth_auth_requests (
        state_hash, binding, issuer, server, did, handle, pds, login_hint,
        redirect_uri, client_id, auth_method, client_kid, scope, secrets,
        evidence_at, created_at, expires_at
    ) VALUES (
        :state_hash, :binding, :issuer, :server, :did, :handle, :pds, :login_hint,
        :redirect_uri, :client_id, :auth_method, :client_kid, :scope, :secrets,
        :evidence_at, :created_at, :expires_at
    )
""")
GET = fetching(
    COLUMNS, "SELECT {columns} FROM oauth_auth_requests WHERE state_hash = :state_hash"
)
TAKE = fetching(
    COLUMNS,
    "DELETE FROM oauth_auth_requests WHERE state_hash = :state_hash"
    " RETURNING {columns}",
)


class SqlStateStore:
    """Auth requests in a table."""

    def __init__(
        self, database: Database, cipher: Cipher, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._sealed = SealedFields(cipher, "oauth_auth_requests", SECRETS)
        self._clock = clock

    def put(self, request: AuthRequest) -> None:
        """Keep a new auth request; a state that is there already is refused."""
        row = self._row_of(request)
        with self._database.write() as connection:
            connection.execute(PUT, row)

    def get(self, state: str) -> AuthRequest | None:
        """Look at an unexpired auth request without consuming it."""
        with self._database.read() as connection:
            result = connection.execute(GET, {"state_hash": sha256_hex(state)})
            found = result.mappings().one_or_none()
        return self._request_of(found, state)

    def take(self, state: str) -> AuthRequest | None:
        """Delete and return an unexpired auth request, exactly once (6.3)."""
        with self._database.write() as connection:
            result = connection.execute(TAKE, {"state_hash": sha256_hex(state)})
            taken = result.mappings().one_or_none()
        return self._request_of(taken, state)

    def _row_of(self, request: AuthRequest) -> dict[str, Any]:
        row = row_of(request)
        state_hash = sha256_hex(row.pop("state"))
        for name, column in COLUMN_OF.items():
            row[column] = row.pop(name)
        row["server"] = json.dumps(dict(request.server))
        row["dpop_key"] = request.dpop_key.private_jwk()
        return {**self._sealed.seal(row, state_hash), "state_hash": state_hash}

    def _request_of(self, row: RowMapping | None, state: str) -> AuthRequest | None:
        if row is None or row["expires_at"] <= self._clock():
            return None
        values = self._sealed.open(row, row["state_hash"])
        del values["state_hash"]
        for name, column in COLUMN_OF.items():
            values[name] = values.pop(column)
        values["server"] = json.loads(values["server"])
        values["dpop_key"] = SigningKey.from_jwk(values["dpop_key"])
        return AuthRequest(state=state, **values)


if TYPE_CHECKING:

    def _fits(store: SqlStateStore) -> StateStore:
        return store
