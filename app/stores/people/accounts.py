"""The accounts as an operator finds and changes them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NoReturn

from sqlalchemy import Connection, Text, bindparam, text
from sqlalchemy.exc import IntegrityError

from app.atproto.syntax.grammar import Did, Handle
from app.flows.account.username import Renames
from app.flows.errors import NotSignedIn, UsernameChangeTooSoon, UsernameTaken
from app.flows.people.accounts import Accounts
from app.flows.people.who import Directory
from app.flows.ports import User
from app.stores.people.username_holds import hold, is_held, release
from app.stores.services.events import NewEvent, append
from app.stores.sql.database import Database
from app.stores.sql.records import columns_of, fetching

COLUMNS = columns_of(User)
SELECT = "SELECT {columns} FROM users"
BY_DID = fetching(COLUMNS, f"{SELECT} WHERE did = :key")
BY_USERNAME = fetching(COLUMNS, f"{SELECT} WHERE username = :key")
BY_HANDLE = fetching(COLUMNS, f"{SELECT} WHERE handle = :key ORDER BY username")
SEARCH = fetching(
    COLUMNS,
    f"""
    {SELECT} WHERE username > :after
      AND (did = :exact OR username LIKE :part ESCAPE '\\'
           OR handle LIKE :part ESCAPE '\\')
      AND (disabled_at IS NOT NULL OR :only_disabled = 0)
    ORDER BY username LIMIT :limit
    """,
)
AMONG = fetching(
    COLUMNS,
    f"""
    {SELECT} WHERE (did IN :names OR username IN :names) AND disabled_at IS NULL
    ORDER BY username
    """,
).bindparams(bindparam("names", expanding=True, type_=Text))
DISABLE = text("""
    UPDATE users SET disabled_at = :now WHERE did = :did AND disabled_at IS NULL
""")
ENABLE = text("""
    UPDATE users SET disabled_at = NULL WHERE did = :did AND disabled_at IS NOT NULL
""")
# Two look-alike names of one account have one skeleton: no other account had either.
RENAME = text("""
    UPDATE users SET username = :username, skeleton = :skeleton
    WHERE did = :did AND NOT EXISTS (
        SELECT 1 FROM users AS others
        WHERE others.skeleton = :skeleton AND others.did <> :did)
""")
OWN_RENAME = text("""
    UPDATE users SET
        username = :username, skeleton = :skeleton, username_changed_at = :now
    WHERE did = :did AND username = :former
      AND (username_changed_at IS NULL OR username_changed_at <= :not_since)
      AND NOT EXISTS (
        SELECT 1 FROM users AS others
        WHERE others.skeleton = :skeleton AND others.did <> :did)
""")
SKELETON = text("SELECT skeleton FROM users WHERE did = :did")


class SqlAccounts(Accounts, Renames, Directory):
    """Accounts in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_did(self, did: Did) -> User | None:
        return self._database.one(User, BY_DID, key=did)

    def by_username(self, username: str) -> User | None:
        return self._database.one(User, BY_USERNAME, key=username)

    def among(self, names: Collection[str]) -> Sequence[User]:
        return self._database.all(User, AMONG, names=list(names))

    def by_handle(self, handle: Handle) -> Sequence[User]:
        return self._database.all(User, BY_HANDLE, key=handle)

    def search(
        self, text: str, *, only_disabled: bool, after: str, limit: int
    ) -> Sequence[User]:
        wanted = {
            "exact": text,
            "part": f"%{as_literal(text.lower())}%",
            "only_disabled": int(only_disabled),
            "after": after,
            "limit": limit,
        }
        return self._database.all(User, SEARCH, **wanted)

    def disable(self, did: Did, now: float) -> bool:
        with self._database.write() as connection:
            changed = connection.execute(DISABLE, {"did": did, "now": int(now)})
            return _told(
                connection, changed.rowcount, NewEvent("disabled", did), now=now
            )

    def enable(self, did: Did, now: float) -> bool:
        with self._database.write() as connection:
            changed = connection.execute(ENABLE, {"did": did})
            return _told(
                connection, changed.rowcount, NewEvent("enabled", did), now=now
            )

    def rename(
        self, user: User, username: str, *, skeleton: str, now: float, held_until: float
    ) -> None:
        wanted = {"did": user.did, "username": username, "skeleton": skeleton}
        with self._database.write() as connection:
            former = connection.execute(SKELETON, {"did": user.did}).scalar()
            held = is_held(connection, user.did, skeleton, now=now)
            if held or connection.execute(RENAME, wanted).rowcount != 1:
                raise UsernameTaken(username)
            former_and_new = (former, skeleton)
            _hold_former(connection, user, skeletons=former_and_new, until=held_until)
            append(connection, [_renamed(user, username)], now=now)

    def change_own(
        self,
        user: User,
        username: str,
        *,
        skeleton: str,
        now: float,
        not_since: float,
        held_until: float,
    ) -> None:
        """Do what `rename` does, if the person has not changed it since a time.

        Of two changes at the same moment one is made.

        Raises:
            UsernameTaken: as `rename` does.
            UsernameChangeTooSoon: it was changed after `not_since`, or just now.
        """
        wanted = {"did": user.did, "username": username, "skeleton": skeleton}
        limits = {"former": user.username, "now": int(now), "not_since": int(not_since)}
        with self._database.write() as connection:
            former = connection.execute(SKELETON, {"did": user.did}).scalar()
            if is_held(connection, user.did, skeleton, now=now):
                raise UsernameTaken(username)
            try:
                changed = connection.execute(OWN_RENAME, {**wanted, **limits})
            except IntegrityError as error:  # PostgreSQL: two people at once
                raise UsernameTaken(username) from error
            if changed.rowcount != 1:
                _raise_refused(connection, user, username=username, not_since=not_since)
            former_and_new = (former, skeleton)
            _hold_former(connection, user, skeletons=former_and_new, until=held_until)
            append(connection, [_renamed(user, username)], now=now)


def _hold_former(
    connection: Connection,
    user: User,
    *,
    skeletons: tuple[str | None, str],
    until: float,
) -> None:
    """End the account's hold on its new name, and put one on the former name."""
    former, skeleton = skeletons
    release(connection, user.did, skeleton)
    if former is not None and former != skeleton:
        former_name = {"skeleton": former, "username": user.username}
        hold(connection, **former_name, did=user.did, until=until)


def _raise_refused(
    connection: Connection, user: User, *, username: str, not_since: float
) -> NoReturn:
    """Say why a person's own change was not made."""
    row = connection.execute(BY_DID, {"key": user.did}).mappings().one_or_none()
    if row is None:
        raise NotSignedIn("the account is gone")
    changed_at = row["username_changed_at"]
    is_recent = changed_at is not None and changed_at > int(not_since)
    if is_recent or row["username"] != user.username:
        raise UsernameChangeTooSoon(changed_at)
    raise UsernameTaken(username)


def _renamed(user: User, username: str) -> NewEvent:
    names = {"username": username, "former_username": user.username}
    return NewEvent("renamed", user.did, names)


def _told(connection: Connection, changed: int, event: NewEvent, *, now: float) -> bool:
    """Tell services of a change of one row; False if there was none."""
    if changed != 1:
        return False
    append(connection, [event], now=now)
    return True


def as_literal(text: str) -> str:
    """Return text as it stands in a LIKE pattern whose escape is a backslash."""
    for special in "\\%_":
        text = text.replace(special, f"\\{special}")
    return text
