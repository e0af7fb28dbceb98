"""OAuth sessions: what a host granted, keyed by DID and session id (6.19).

Tokens, DPoP key and nonces are sealed for their row (requirement 7.23).
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.atproto.crypto.keys import SigningKey
from app.atproto.records import OAuthSession

from .records import SealedFields, fetching, row_of

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from app.atproto.stores.protocols import SessionStore
    from app.atproto.syntax.grammar import Did
    from app.stores.database import Database

    from .encryption import Cipher

FIELDS = tuple(field.name for field in fields(OAuthSession))
SECRETS = ("dpop_key", "access_token", "refresh_token", "as_nonce", "pds_nonce")
COLUMNS = (*(name for name in FIELDS if name not in SECRETS), "secrets")

PUT = text("""
    INSERT INTO oauth_sessions (
        did, session_id, handle, issuer, pds, client_id, auth_method, client_kid,
        client_thumbprint, scope, token_endpoint, revocation_endpoint, secrets,
        expires_at, created_at, refreshed_at, verified_at
    ) VALUES (
        :did, :session_id, :handle, :issuer, :pds, :client_id, :auth_method,
        :client_kid, :client_thumbprint, :scope, :token_endpoint,
        :revocation_endpoint, :secrets, :expires_at, :created_at, :refreshed_at,
        :verified_at
    )
    ON CONFLICT (did, session_id) DO UPDATE SET
        handle = excluded.handle, issuer = excluded.issuer, pds = excluded.pds,
        client_id = excluded.client_id, auth_method = excluded.auth_method,
        client_kid = excluded.client_kid,
        client_thumbprint = excluded.client_thumbprint, scope = excluded.scope,
        token_endpoint = excluded.token_endpoint,
        revocation_endpoint = excluded.revocation_endpoint,
        secrets = excluded.secrets, expires_at = excluded.expires_at,
        created_at = excluded.created_at, refreshed_at = excluded.refreshed_at,
        verified_at = excluded.verified_at
""")
GET = fetching(
    COLUMNS,
    "SELECT {columns} FROM oauth_sessions"
    " WHERE did = :did AND session_id = :session_id",
)
LEASE = fetching(
    COLUMNS,
    """
    UPDATE oauth_sessions SET lease_holder = :holder, lease_until = :until
    WHERE did = :did AND session_id = :session_id
      AND (lease_holder IS NULL OR lease_until <= :now)
    RETURNING {columns}
    """,
)
REPLACE = text("""
    UPDATE oauth_sessions SET
        handle = :handle, issuer = :issuer, pds = :pds, client_id = :client_id,
        auth_method = :auth_method, client_kid = :client_kid,
        client_thumbprint = :client_thumbprint, scope = :scope,
        token_endpoint = :token_endpoint, revocation_endpoint = :revocation_endpoint,
        secrets = :secrets, expires_at = :expires_at, created_at = :created_at,
        refreshed_at = :refreshed_at, verified_at = :verified_at,
        lease_holder = NULL, lease_until = NULL
    WHERE did = :did AND session_id = :session_id AND lease_holder = :holder
""")
RELEASE = text("""
    UPDATE oauth_sessions SET lease_holder = NULL, lease_until = NULL
    WHERE did = :did AND session_id = :session_id AND lease_holder = :holder
""")
DELETE = fetching(
    COLUMNS,
    "DELETE FROM oauth_sessions WHERE did = :did AND session_id = :session_id"
    " RETURNING {columns}",
)


class SqlSessionStore:
    """OAuth sessions in a table."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._sealed = SealedFields(cipher, "oauth_sessions", SECRETS)

    def put(self, session: OAuthSession) -> None:
        """Keep a session; replaces the one with the same DID and session id."""
        with self._database.write() as connection:
            connection.execute(PUT, self._row_of(session))

    def get(self, did: Did, session_id: str) -> OAuthSession | None:
        """Return the session, or None."""
        with self._database.read() as connection:
            result = connection.execute(GET, _key(did, session_id))
            found = result.mappings().one_or_none()
        return self._session_of(found)

    def delete(self, did: Did, session_id: str) -> OAuthSession | None:
        """Delete and return the session in one step, or None."""
        with self._database.write() as connection:
            result = connection.execute(DELETE, _key(did, session_id))
            deleted = result.mappings().one_or_none()
        return self._session_of(deleted)

    def lease(
        self, did: Did, session_id: str, *, holder: str, until: float, now: float
    ) -> OAuthSession | None:
        """Mark the session as the holder's and return it, or None."""
        times = {"until": int(until), "now": int(now)}
        wanted = {**_key(did, session_id), "holder": holder, **times}
        with self._database.write() as connection:
            leased = connection.execute(LEASE, wanted).mappings().one_or_none()
        return self._session_of(leased)

    def replace(self, session: OAuthSession, *, holder: str) -> bool:
        """Write the session over the row that the holder leases; end the lease."""
        row = {**self._row_of(session), "holder": holder}
        with self._database.write() as connection:
            return connection.execute(REPLACE, row).rowcount == 1

    def release(self, did: Did, session_id: str, *, holder: str) -> None:
        """End the holder's lease; another's is left alone."""
        with self._database.write() as connection:
            connection.execute(RELEASE, {**_key(did, session_id), "holder": holder})

    def _row_of(self, session: OAuthSession) -> dict[str, Any]:
        row = {**row_of(session), "dpop_key": session.dpop_key.private_jwk()}
        return self._sealed.seal(row, session.did, session.session_id)

    def _session_of(self, row: RowMapping | None) -> OAuthSession | None:
        if row is None:
            return None
        values = self._sealed.open(row, row["did"], row["session_id"])
        values["dpop_key"] = SigningKey.from_jwk(values["dpop_key"])
        return OAuthSession(**values)


def _key(did: Did, session_id: str) -> dict[str, Any]:
    return {"did": did, "session_id": session_id}


if TYPE_CHECKING:

    def _fits(store: SqlSessionStore) -> SessionStore:
        return store
