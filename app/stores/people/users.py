"""The accounts of the platform, one for each DID."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Text, bindparam, text

from app.atproto.syntax.grammar import Did, Handle, host_of
from app.flows.errors import UsernameTaken
from app.flows.ports import User, Users
from app.stores.people.invitations import use_invitation
from app.stores.people.username_holds import is_held
from app.stores.services.events import NewEvent, append
from app.stores.sql.database import Database
from app.stores.sql.quick import Executor
from app.stores.sql.records import columns_of, fetching, insert_into, row_of

COLUMNS = columns_of(User)
GET = fetching(COLUMNS, "SELECT {columns} FROM users WHERE did = :did")
# No DID is the empty text, which stands for no account.
TAKEN = text("""
    SELECT skeleton FROM users WHERE skeleton IN :skeletons AND did <> :but_for
    UNION SELECT skeleton FROM username_holds
    WHERE skeleton IN :skeletons AND (did IS NULL OR did <> :but_for)
""").bindparams(bindparam("skeletons", expanding=True, type_=Text))
# Any unique index may conflict, on the DID or on the name: `add` reads the row after.
ADD = text(f"{insert_into('users', (*COLUMNS, 'skeleton'))} ON CONFLICT DO NOTHING")
NOTE_SIGN_IN = text("""
    UPDATE users SET handle = :handle, handle_checked_at = :now, issuer = :issuer
    WHERE did = :did
""")
NOTE_HANDLE = text("""
    UPDATE users SET handle = :handle, handle_checked_at = :now
    WHERE did = :did AND handle_checked_at <= :now
""")
NOTE_PROFILE = text("""
    UPDATE users SET display_name = :display_name, avatar_cid = :avatar_cid,
        profile_checked_at = :now
    WHERE did = :did
""")
NOTE_EMAIL = text("""
    UPDATE users SET email = :email, email_host = :host,
        email_confirmed_at = :confirmed_at
    WHERE did = :did
""")


class SqlUsers(Users):
    """Accounts in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, did: Did) -> User | None:
        with self._database.quick_read() as connection:
            return _get(connection, did)

    def taken(
        self, skeletons: Collection[str], *, but_for: Did | None = None
    ) -> frozenset[str]:
        wanted = {"skeletons": list(skeletons), "but_for": but_for or ""}
        with self._database.read() as connection:
            result = connection.execute(TAKEN, wanted)
            return frozenset(result.scalars())

    def add(self, user: User, *, skeleton: str, invitation: str | None = None) -> User:
        """Create the account, or return the one that the DID has.

        What raises takes the whole transaction back.

        Raises:
            UsernameTaken: another DID has the name or one that looks like it, or a hold
                is on it.
            InvitationEnded: the invitation has no use left.
        """
        row = {**row_of(user), "skeleton": skeleton}
        with self._database.write() as connection:
            is_new = connection.execute(ADD, row).rowcount == 1
            # After the INSERT, which waits for a transaction that gives the name up.
            if is_new and is_held(connection, user.did, skeleton, now=user.created_at):
                raise UsernameTaken(user.username)
            if is_new and invitation is not None:
                use_invitation(connection, invitation, now=user.created_at)
            if is_new:
                names = {"username": user.username, "handle": user.handle}
                event = NewEvent("signed_up", user.did, names)
                append(connection, [event], now=user.created_at)
            added = _get(connection, user.did)
        if added is None:
            raise UsernameTaken(user.username)
        return added

    def note_sign_in(
        self, did: Did, *, handle: Handle | None, issuer: str, now: float
    ) -> None:
        noted = {"did": did, "handle": handle, "issuer": issuer, "now": int(now)}
        with self._database.quick_write() as connection:
            former = _get(connection, did)
            connection.execute(NOTE_SIGN_IN, noted)
            if former is not None:
                append(connection, _changes(former, handle, issuer), now=now)

    def note_handle(self, did: Did, *, handle: Handle | None, now: float) -> bool:
        noted = {"did": did, "handle": handle, "now": int(now)}
        with self._database.write() as connection:
            former = _get(connection, did)
            if connection.execute(NOTE_HANDLE, noted).rowcount != 1:
                return False
            if former is not None:
                append(connection, _changes(former, handle, former.issuer), now=now)
            return True

    def note_profile(
        self, did: Did, *, display_name: str | None, avatar_cid: str | None, now: float
    ) -> None:
        noted = {
            "did": did,
            "display_name": display_name,
            "avatar_cid": avatar_cid,
            "now": int(now),
        }
        with self._database.quick_write(durable=False) as connection:
            connection.execute(NOTE_PROFILE, noted)

    def note_email(
        self,
        did: Did,
        *,
        email: str | None,
        host: str | None,
        confirmed_at: float | None,
    ) -> None:
        noted = {
            "did": did,
            "email": email,
            "host": host,
            "confirmed_at": None if confirmed_at is None else int(confirmed_at),
        }
        with self._database.quick_write(durable=False) as connection:
            connection.execute(NOTE_EMAIL, noted)


def _changes(former: User, handle: Handle | None, issuer: str | None) -> list[NewEvent]:
    changes = []
    if former.handle != handle:
        names = {"handle": handle, "former_handle": former.handle}
        changes.append(NewEvent("handle_changed", former.did, names))
    if former.issuer and issuer and former.issuer != issuer:
        hosts = {"host": host_of(issuer), "former_host": host_of(former.issuer)}
        changes.append(NewEvent("moved", former.did, hosts))
    return changes


def _get(connection: Executor, did: Did) -> User | None:
    row = connection.execute(GET, {"did": did}).mappings().one_or_none()
    return None if row is None else User(**row)
