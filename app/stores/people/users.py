"""The accounts of the platform, one for each DID."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Text, bindparam, text

from app.flows.errors import UsernameTaken
from app.flows.ports import User
from app.stores.sql.records import columns_of, fetching, insert_into, row_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from app.atproto.syntax.grammar import Did, Handle
    from app.flows.ports import Users
    from app.stores.sql.database import Database

COLUMNS = columns_of(User)
GET = fetching(COLUMNS, "SELECT {columns} FROM users WHERE did = :did")
TAKEN = text("SELECT skeleton FROM users WHERE skeleton IN :skeletons").bindparams(
    bindparam("skeletons", expanding=True, type_=Text)
)
# Any unique index may conflict, on the DID or on the name: `add` reads the row after.
ADD = text(f"{insert_into('users', (*COLUMNS, 'skeleton'))} ON CONFLICT DO NOTHING")
NOTE_SIGN_IN = text("""
    UPDATE users SET handle = :handle, handle_checked_at = :now, issuer = :issuer
    WHERE did = :did
""")


class SqlUsers:
    """Accounts in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, did: Did) -> User | None:
        """Return the account of a DID, disabled ones too."""
        with self._database.read() as connection:
            return _get(connection, did)

    def taken(self, skeletons: Collection[str]) -> frozenset[str]:
        """Return those of the skeletons that are taken."""
        with self._database.read() as connection:
            result = connection.execute(TAKEN, {"skeletons": list(skeletons)})
            return frozenset(result.scalars())

    def add(self, user: User, *, skeleton: str) -> User:
        """Create the account, or return the one that the DID has.

        Raises:
            UsernameTaken: another DID has the name or one that looks like it.
        """
        with self._database.write() as connection:
            connection.execute(ADD, {**row_of(user), "skeleton": skeleton})
            added = _get(connection, user.did)
        if added is None:
            raise UsernameTaken(user.username)
        return added

    def note_sign_in(
        self, did: Did, *, handle: Handle | None, issuer: str, now: float
    ) -> None:
        """Note the issuer, and the handle as verified now; None if none verifies."""
        noted = {"did": did, "handle": handle, "issuer": issuer, "now": int(now)}
        with self._database.write() as connection:
            connection.execute(NOTE_SIGN_IN, noted)


def _get(connection: Connection, did: Did) -> User | None:
    row = connection.execute(GET, {"did": did}).mappings().one_or_none()
    return None if row is None else User(**row)


if TYPE_CHECKING:

    def _fits(users: SqlUsers) -> Users:
        return users
