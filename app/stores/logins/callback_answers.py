"""Callback answers: a callback that is asked twice gets its first answer again.

Taking an auth request adds the row, so a stranger cannot add rows. The answer holds
session cookies, so it is encrypted under the browser's secret, of which the database
has only a hash.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

from app.atproto.crypto.encoding import sha256_hex
from app.flows.ports import CallbackAnswers, CallbackTurn
from app.stores.encryption import Cipher, aad_of
from app.stores.sql.database import Database
from app.stores.sql.quick import Executor
from app.stores.sql.records import fetching

TABLE: Final = "callback_answers"

RESERVATION: Final = 15
"""Seconds for which a repeated callback waits for the first one's answer: more than a
callback takes (`app.flows.callback.finish.CALLBACK_BUDGET`)."""

ANSWER_LIFETIME: Final = 120
"""Seconds for which the first answer is given again."""

RESERVE = text("""
    INSERT INTO callback_answers (id, answer, expires_at) VALUES (:id, NULL, :until)
    ON CONFLICT (id) DO NOTHING
""")
GET = fetching(
    ("answer",),
    "SELECT {columns} FROM callback_answers WHERE id = :id AND expires_at > :now",
)
KEEP = text("""
    UPDATE callback_answers SET answer = :answer, expires_at = :until WHERE id = :id
""")


def reserve(
    connection: Executor, state_hash: str, secret_hash: str | None, *, now: float
) -> None:
    """Reserve the answer, in the transaction that takes the auth request.

    Before the commit the auth request is there, after it this row: a repeated callback
    always finds one of them.
    """
    if secret_hash is not None:
        row_id = _id_of(state_hash, secret_hash)
        row = {"id": row_id, "until": int(now) + RESERVATION}
        connection.execute(RESERVE, row)


class SqlCallbackAnswers(CallbackAnswers):
    """Callback answers in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def look(self, state: str, secret: str, *, now: float) -> CallbackTurn:
        row_id = _row_id(state, secret)
        with self._database.quick_read() as connection:
            found = connection.execute(GET, {"id": row_id, "now": int(now)}).all()
        if not found:
            return "unknown"
        return "waits" if found[0][0] is None else "replay"

    def keep(self, state: str, secret: str, answer: str, *, now: float) -> None:
        row_id = _row_id(state, secret)
        encrypted = Cipher(secret.encode()).encrypt(answer, aad=aad_of(TABLE, row_id))
        row = {"id": row_id, "answer": encrypted, "until": int(now) + ANSWER_LIFETIME}
        with self._database.quick_write(durable=False) as connection:
            connection.execute(KEEP, row)

    def read(self, state: str, secret: str, *, now: float) -> str | None:
        row_id = _row_id(state, secret)
        with self._database.quick_read() as connection:
            found = connection.execute(GET, {"id": row_id, "now": int(now)}).all()
        if not found or found[0][0] is None:
            return None
        return (
            Cipher(secret.encode())
            .decrypt(found[0][0], aad=aad_of(TABLE, row_id))
            .decode()
        )


def _row_id(state: str, secret: str) -> str:
    return _id_of(sha256_hex(state), sha256_hex(secret))


def _id_of(state_hash: str, secret_hash: str) -> str:
    return sha256_hex(f"{state_hash}.{secret_hash}")
