"""Native logins: each is decided once, and a decision wakes the app's waiting request.

The key of a row is the hash of the app's secret; the link's secret is hashed too. So a
reader of the database can neither fetch a token nor follow a link. Tokens are not
stored: they are issued when they are delivered.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

from sqlalchemy import Connection, TextClause, TextualSelect, text

from app.atproto.crypto.encoding import sha256_hex
from app.flows.ports import NativeLogin, NativeLogins, Session
from app.stores.encryption import Cipher
from app.stores.sql.database import Database
from app.stores.sql.records import (
    EncryptedFields,
    columns_of,
    fetching,
    insert_into,
    row_of,
)
from app.stores.sql.row_bounds import RowBound
from app.telemetry.context import login_id_of_hash

CHANNEL: Final = "native_logins"
"""The PostgreSQL channel of decisions; the payload is the login's id."""

SECRETS: Final = ("identifier", "authorization_url", "state")

COLUMNS = (
    *columns_of(NativeLogin, encrypted=SECRETS, without=("log_id",)),
    "open_hash",
)
ADD = text(insert_into("native_logins", COLUMNS))
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
    SET secret_hash = :secret_hash, pending_for = NULL, destination = NULL,
        seen_at = :now, expires_at = :expires_at
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

CLEAR_SUCCESSOR = text("""
    UPDATE sessions SET refresh_successor = NULL
    WHERE refresh_previous_hash = :login_id
      AND sid = (SELECT sid FROM native_logins WHERE login_id = :login_id)
""")


class SqlNativeLogins(NativeLogins):
    """Native logins in a table."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._secrets = EncryptedFields(cipher, "native_logins", SECRETS)
        self._bound = RowBound("native_logins")

    def add(self, login: NativeLogin, *, open_secret: str) -> None:
        encrypted = self._secrets.encrypt(row_of(login), login.login_id)
        row = {**encrypted, "open_hash": sha256_hex(open_secret)}
        with self._database.write() as connection:
            connection.execute(ADD, row)
            self._bound.after_write(connection)

    def get(self, login_id: str) -> NativeLogin | None:
        return self._found(GET, login_id)

    def by_open_secret(self, secret: str) -> NativeLogin | None:
        return self._found(BY_OPEN_SECRET, sha256_hex(secret))

    def open(self, login_id: str, now: float) -> bool:
        with self._database.write() as connection:
            return _updates_one(connection, OPEN, login_id=login_id, now=int(now))

    def complete(self, login_id: str, *, session: Session, now: float) -> bool:
        with self._database.write() as connection:
            decided = _updates_one(
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
        with self._database.write() as connection:
            decided = _updates_one(connection, DENY, login_id=login_id, now=int(now))
            if decided:
                self._database.notify(connection, CHANNEL, login_id)
            return decided

    def acknowledge(self, login_id: str, now: float) -> bool:
        with self._database.write() as connection:
            is_first = _updates_one(
                connection, ACKNOWLEDGE, login_id=login_id, now=int(now)
            )
            if is_first:  # its refresh token is not handed out again either
                connection.execute(CLEAR_SUCCESSOR, {"login_id": login_id})
            return is_first

    def _found(self, statement: TextualSelect, key: str) -> NativeLogin | None:
        # Not `read`: hundreds of streams look at the same moment.
        with self._database.quick_read() as connection:
            row = connection.execute(statement, {"key": key}).mappings().one_or_none()
        if row is None:
            return None
        values = self._secrets.decrypt(row, row["login_id"])
        log_id = login_id_of_hash(values.pop("open_hash"))
        return NativeLogin(**values, log_id=log_id)


def _updates_one(connection: Connection, statement: TextClause, **values: Any) -> bool:
    return connection.execute(statement, values).rowcount == 1


def _hand_over(connection: Connection, session: Session, now: float) -> None:
    # The browser's secret is replaced by a random one, which is not kept.
    connection.execute(
        HAND_OVER,
        {
            "sid": session.sid,
            "secret_hash": sha256_hex(secrets.token_urlsafe(32)),
            "expires_at": int(session.expires_at),
            "now": int(now),
        },
    )
