"""Native logins: each decided once, and told to whoever awaits it.

A row is keyed by a hash of the app's secret and found by a hash of the link's, so that
whoever reads the database can neither collect a token nor follow a link. The token
itself is never here: it is minted when it is delivered.
"""

from __future__ import annotations

import secrets
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from app.atproto.crypto.encoding import sha256_hex
from app.flows.ports import NativeLogin

from .records import SealedFields, fetching, row_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, TextClause, TextualSelect

    from app.flows.ports import NativeLogins, Session
    from app.stores.database import Database

    from .encryption import Cipher

CHANNEL: Final = "native_logins"
"""Where PostgreSQL tells of a decision; the payload is the login's id."""

SECRETS: Final = ("identifier", "authorization_url", "state")

ADD = text("""
    INSERT INTO native_logins (
        login_id, open_hash, app_name, user_code, code_challenge, secrets, status,
        sid, did, created_at, expires_at, opened_at, decided_at, acknowledged_at
    ) VALUES (
        :login_id, :open_hash, :app_name, :user_code, :code_challenge, :secrets,
        :status, :sid, :did, :created_at, :expires_at, :opened_at, :decided_at,
        :acknowledged_at
    )
""")
FIELDS = tuple(field.name for field in fields(NativeLogin))
COLUMNS = (*(name for name in FIELDS if name not in SECRETS), "secrets")
SELECT = "SELECT {columns} FROM native_logins"
GET = fetching(COLUMNS, f"{SELECT} WHERE login_id = :key")
BY_OPEN_SECRET = fetching(COLUMNS, f"{SELECT} WHERE open_hash = :key")
OPEN = text("""
    UPDATE native_logins SET opened_at = :now
    WHERE login_id = :login_id AND status = 'pending' AND expires_at > :now
      AND opened_at IS NULL
""")
COMPLETE = text("""
    UPDATE native_logins
    SET status = 'completed', sid = :sid, did = :did, decided_at = :now
    WHERE login_id = :login_id AND status = 'pending' AND expires_at > :now
      AND EXISTS (
        SELECT 1 FROM sessions
        WHERE sessions.sid = :sid AND ended_at IS NULL
          AND sessions.expires_at > :now)
""")
HAND_OVER = text("""
    UPDATE sessions
    SET secret_hash = :secret_hash, destination = NULL, seen_at = :now,
        expires_at = :expires_at
    WHERE sid = :sid
""")
DENY = text("""
    UPDATE native_logins SET status = 'denied', decided_at = :now
    WHERE login_id = :login_id AND status = 'pending' AND expires_at > :now
""")
ACKNOWLEDGE = text("""
    UPDATE native_logins SET acknowledged_at = :now
    WHERE login_id = :login_id AND status = 'completed' AND acknowledged_at IS NULL
""")


class SqlNativeLogins:
    """Native logins in a table."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._sealed = SealedFields(cipher, "native_logins", SECRETS)

    def add(self, login: NativeLogin, *, open_secret: str) -> None:
        """Create the login; of the secret in its link only a hash is kept."""
        sealed = self._sealed.seal(row_of(login), login.login_id)
        row = {**sealed, "open_hash": sha256_hex(open_secret)}
        with self._database.write() as connection:
            connection.execute(ADD, row)

    def get(self, login_id: str) -> NativeLogin | None:
        """Return the login of an app."""
        return self._found(GET, login_id)

    def by_open_secret(self, secret: str) -> NativeLogin | None:
        """Return the login that a link leads to."""
        return self._found(BY_OPEN_SECRET, sha256_hex(secret))

    def open(self, login_id: str, now: float) -> bool:
        """Note that the link was followed; only the first caller hears True."""
        with self._database.write() as connection:
            return _changes(connection, OPEN, login_id=login_id, now=int(now))

    def complete(self, login_id: str, *, session: Session, now: float) -> bool:
        """Let the app in: `session` is its own from now on, and nobody's cookie."""
        with self._database.write() as connection:
            decided = _changes(
                connection,
                COMPLETE,
                login_id=login_id,
                sid=session.sid,
                did=session.did,
                now=int(now),
            )
            if decided:
                _hand_over(connection, session, now)
                self._database.notify(connection, CHANNEL, login_id)
            return decided

    def deny(self, login_id: str, now: float) -> bool:
        """Keep the app out; False when the login was decided already, or is over."""
        with self._database.write() as connection:
            decided = _changes(connection, DENY, login_id=login_id, now=int(now))
            if decided:
                self._database.notify(connection, CHANNEL, login_id)
            return decided

    def acknowledge(self, login_id: str, now: float) -> bool:
        """Note that the app has its token; False unless it was let in, once."""
        with self._database.write() as connection:
            return _changes(connection, ACKNOWLEDGE, login_id=login_id, now=int(now))

    def _found(self, statement: TextualSelect, key: str) -> NativeLogin | None:
        with self._database.read() as connection:
            row = connection.execute(statement, {"key": key}).mappings().one_or_none()
        if row is None:
            return None
        return NativeLogin(**self._sealed.open(row, row["login_id"]))


def _changes(connection: Connection, statement: TextClause, **values: Any) -> bool:
    return connection.execute(statement, values).rowcount == 1


def _hand_over(connection: Connection, session: Session, now: float) -> None:
    # The secret that the browser held opens nothing from now on: nobody knows this one.
    connection.execute(
        HAND_OVER,
        {
            "sid": session.sid,
            "secret_hash": sha256_hex(secrets.token_urlsafe(32)),
            "expires_at": int(session.expires_at),
            "now": int(now),
        },
    )


if TYPE_CHECKING:

    def _fits(logins: SqlNativeLogins) -> NativeLogins:
        return logins
