"""OAuth sessions: what a host granted, keyed by DID and session id (requirement 6.19).

Tokens, DPoP key and nonces are encrypted for their row (requirement 7.23).
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import text

from app.atproto.crypto.keys import SigningKey
from app.atproto.records import OAuthSession
from app.atproto.stores.protocols import SessionStore
from app.atproto.syntax.grammar import Did
from app.stores.encryption import Cipher
from app.stores.sql.database import Database
from app.stores.sql.quick import MappedRow
from app.stores.sql.records import (
    EncryptedFields,
    assignments,
    columns_of,
    fetching,
    insert_into,
    row_of,
)

KEY = ("did", "session_id")
SECRETS = ("dpop_key", "access_token", "refresh_token", "as_nonce", "pds_nonce")
COLUMNS = columns_of(OAuthSession, encrypted=SECRETS)
CHANGING = tuple(name for name in COLUMNS if name not in KEY)

PUT = text(f"""
    {insert_into("oauth_sessions", COLUMNS)}
    ON CONFLICT (did, session_id) DO UPDATE SET
        {assignments(CHANGING, source="excluded.")}
""")
GET = fetching(
    COLUMNS,
    "SELECT {columns} FROM oauth_sessions"
    " WHERE did = :did AND session_id = :session_id",
)
# The clock is `Database.now_sql`.
LEASE: Final = """
    UPDATE oauth_sessions SET lease_holder = :holder, lease_until = {now} + :seconds
    WHERE did = :did AND session_id = :session_id
      AND (lease_holder IS NULL OR lease_until <= {now})
    RETURNING {columns}
"""
REPLACE = text(f"""
    UPDATE oauth_sessions SET
        {assignments(CHANGING)}, lease_holder = NULL, lease_until = NULL
    WHERE did = :did AND session_id = :session_id AND lease_holder = :holder
""")  # noqa: S608 - our names
RELEASE = text("""
    UPDATE oauth_sessions SET lease_holder = NULL, lease_until = NULL
    WHERE did = :did AND session_id = :session_id AND lease_holder = :holder
""")
DELETE = fetching(
    COLUMNS,
    "DELETE FROM oauth_sessions WHERE did = :did AND session_id = :session_id"
    " RETURNING {columns}",
)


class SqlSessionStore(SessionStore):
    """OAuth sessions in a table."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._secrets = EncryptedFields(cipher, "oauth_sessions", SECRETS)
        with_clock = LEASE.replace("{now}", database.now_sql)
        self._lease = fetching(COLUMNS, with_clock)

    def put(self, session: OAuthSession) -> None:
        """Store a session; replaces the one with the same DID and session id.

        The commit does not wait for the disk: the one of the sign-in session, which
        follows, does so for both, and without that session the grant is of no use.
        """
        with self._database.quick_write(durable=False) as connection:
            connection.execute(PUT, self._row_of(session))

    def get(self, did: Did, session_id: str) -> OAuthSession | None:
        with self._database.quick_read() as connection:
            result = connection.execute(GET, _key(did, session_id))
            found = result.mappings().one_or_none()
        return self._session_of(found)

    def delete(self, did: Did, session_id: str) -> OAuthSession | None:
        with self._database.write() as connection:
            result = connection.execute(DELETE, _key(did, session_id))
            deleted = result.mappings().one_or_none()
        return self._session_of(deleted)

    def lease(
        self, did: Did, session_id: str, *, holder: str, until: float, now: float
    ) -> OAuthSession | None:
        times = {"seconds": int(until) - int(now), "now": int(now)}
        wanted = {**_key(did, session_id), "holder": holder, **times}
        with self._database.write() as connection:
            leased = connection.execute(self._lease, wanted).mappings().one_or_none()
        return self._session_of(leased)

    def replace(self, session: OAuthSession, *, holder: str) -> bool:
        row = {**self._row_of(session), "holder": holder}
        with self._database.write() as connection:
            return connection.execute(REPLACE, row).rowcount == 1

    def release(self, did: Did, session_id: str, *, holder: str) -> None:
        with self._database.write() as connection:
            connection.execute(RELEASE, {**_key(did, session_id), "holder": holder})

    def _row_of(self, session: OAuthSession) -> dict[str, Any]:
        row = {**row_of(session), "dpop_key": session.dpop_key.private_jwk()}
        return self._secrets.encrypt(row, session.did, session.session_id)

    def _session_of(self, row: MappedRow | None) -> OAuthSession | None:
        if row is None:
            return None
        values = self._secrets.decrypt(row, row["did"], row["session_id"])
        values["dpop_key"] = SigningKey.from_jwk(values["dpop_key"])
        return OAuthSession(**values)


def _key(did: Did, session_id: str) -> dict[str, Any]:
    return {"did": did, "session_id": session_id}
