"""Callback answers: a callback that is asked twice gets its first answer again.

A row needs an auth request and its browser secret, so a stranger cannot add rows. The
answer holds session cookies, so it is encrypted under the browser's
secret, of which the database has only a hash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from app.atproto.crypto.encoding import sha256_hex
from app.stores.encryption import Cipher, aad_of
from app.stores.sql.records import fetching

if TYPE_CHECKING:
    from app.flows.ports import CallbackAnswers, CallbackTurn
    from app.stores.sql.database import Database

TABLE: Final = "callback_answers"

RESERVATION: Final = 15
"""Seconds for which a repeated callback waits for the first one's answer: more than a
callback takes (`app.flows.callback.finish.CALLBACK_BUDGET`)."""

ANSWER_LIFETIME: Final = 120
"""Seconds for which the first answer is given again."""

RESERVE = text("""
    INSERT INTO callback_answers (id, answer, expires_at)
    SELECT :id, NULL, :until FROM oauth_auth_requests
    WHERE state_hash = :state_hash AND binding = :secret_hash AND expires_at > :now
    ON CONFLICT (id) DO NOTHING
""")
GET = fetching(
    ("answer",),
    "SELECT {columns} FROM callback_answers WHERE id = :id AND expires_at > :now",
)
KEEP = text("""
    UPDATE callback_answers SET answer = :answer, expires_at = :until WHERE id = :id
""")


class SqlCallbackAnswers:
    """Callback answers in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(self, state: str, secret: str, *, now: float) -> CallbackTurn:
        """Claim the first answer, or say how a repeated callback gets it."""
        row = {
            "id": _id_of(state, secret),
            "state_hash": sha256_hex(state),
            "secret_hash": sha256_hex(secret),
            "now": int(now),
            "until": int(now) + RESERVATION,
        }
        with self._database.read() as connection:
            found = connection.execute(GET, {"id": row["id"], "now": row["now"]}).all()
        if found:
            return "waits" if found[0].answer is None else "replay"
        with self._database.write(durable=False) as connection:
            if connection.execute(RESERVE, row).rowcount == 1:
                return "first"
            found = connection.execute(GET, {"id": row["id"], "now": row["now"]}).all()
        return "waits" if found else "unknown"

    def keep(self, state: str, secret: str, answer: str, *, now: float) -> None:
        """Store the first answer for ANSWER_LIFETIME."""
        row_id = _id_of(state, secret)
        encrypted = Cipher(secret.encode()).encrypt(answer, aad=aad_of(TABLE, row_id))
        row = {"id": row_id, "answer": encrypted, "until": int(now) + ANSWER_LIFETIME}
        with self._database.write(durable=False) as connection:
            connection.execute(KEEP, row)

    def read(self, state: str, secret: str, *, now: float) -> str | None:
        """Return the first answer, or None while there is none."""
        row_id = _id_of(state, secret)
        with self._database.read() as connection:
            found = connection.execute(GET, {"id": row_id, "now": int(now)}).all()
        if not found or found[0].answer is None:
            return None
        return (
            Cipher(secret.encode())
            .decrypt(found[0].answer, aad=aad_of(TABLE, row_id))
            .decode()
        )


def _id_of(state: str, secret: str) -> str:
    return sha256_hex(f"{sha256_hex(state)}.{secret}")


if TYPE_CHECKING:

    def _fits(answers: SqlCallbackAnswers) -> CallbackAnswers:
        return answers
