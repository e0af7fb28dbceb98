"""Invitations; of a link's secret only a hash is stored."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from app.atproto.crypto.encoding import sha256_hex
from app.flows.errors import InvitationEnded
from app.flows.people.signup.invitations import Invitation, Invitations
from app.stores.sql.database import Database
from app.stores.sql.records import columns_of, fetching, insert_into, row_of

COLUMNS = columns_of(Invitation)
ADD = text(insert_into("invitations", (*COLUMNS, "secret_hash")))
LIST = fetching(
    COLUMNS,
    "SELECT {columns} FROM invitations ORDER BY created_at DESC, invitation_id",
)
OPEN = "secret_hash = :secret_hash AND used < uses AND expires_at > :now"
IS_OPEN = text(f"""
    SELECT count(*) FROM invitations WHERE {OPEN} AND revoked_at IS NULL
""")  # noqa: S608 - our names
USE = text(f"""
    UPDATE invitations SET used = used + 1 WHERE {OPEN} AND revoked_at IS NULL
""")  # noqa: S608 - our names
REVOKE = text("""
    UPDATE invitations SET revoked_at = :now
    WHERE invitation_id = :invitation_id AND revoked_at IS NULL
""")


class SqlInvitations(Invitations):
    """Invitations in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, invitation: Invitation, *, secret: str) -> None:
        row = {**row_of(invitation), "secret_hash": sha256_hex(secret)}
        with self._database.write() as connection:
            connection.execute(ADD, row)

    def is_open(self, secret: str, now: float) -> bool:
        with self._database.read() as connection:
            found = connection.execute(IS_OPEN, _named(secret, now)).scalar()
        return bool(found)

    def list(self) -> Sequence[Invitation]:
        return self._database.all(Invitation, LIST)

    def revoke(self, invitation_id: str, now: float) -> bool:
        wanted = {"invitation_id": invitation_id, "now": int(now)}
        with self._database.write() as connection:
            return connection.execute(REVOKE, wanted).rowcount == 1


def use_invitation(connection: Connection, secret: str, *, now: float) -> None:
    """Count one sign-up, in the transaction that creates its account.

    Raises:
        InvitationEnded: no use is left, or the invitation is revoked or expired.
    """
    if connection.execute(USE, _named(secret, now)).rowcount != 1:
        raise InvitationEnded("an invitation without a use left")


def _named(secret: str, now: float) -> dict[str, object]:
    return {"secret_hash": sha256_hex(secret), "now": int(now)}
