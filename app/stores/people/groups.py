"""Groups of accounts and their members."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text

from app.atproto.syntax.grammar import Did
from app.flows.people.groups import Group, Groups, Member
from app.stores.sql.database import Database
from app.stores.sql.records import fetching

ADD_GROUP = text("""
    INSERT INTO groups (name, created_at) VALUES (:name, :now) ON CONFLICT DO NOTHING
""")
ADD = text("""
    INSERT INTO group_members (group_name, did, added_at) VALUES (:name, :did, :now)
    ON CONFLICT DO NOTHING
""")
REMOVE = text("DELETE FROM group_members WHERE group_name = :name AND did = :did")
LIST = text("""
    SELECT name, created_at, count(did) AS members
    FROM groups LEFT JOIN group_members ON group_name = name
    GROUP BY name, created_at ORDER BY name
""")
MEMBERS = text("""
    SELECT group_members.did AS did, username, added_at
    FROM group_members LEFT JOIN users ON users.did = group_members.did
    WHERE group_name = :name ORDER BY username IS NULL, username, group_members.did
""")
OF = fetching(("group_name",), "SELECT {columns} FROM group_members WHERE did = :did")


class SqlGroups(Groups):
    """Groups in two tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, did: Did, *, now: float) -> bool:
        row = {"name": name, "did": did, "now": int(now)}
        with self._database.write() as connection:
            connection.execute(ADD_GROUP, row)
            return connection.execute(ADD, row).rowcount == 1

    def remove(self, name: str, did: Did) -> bool:
        with self._database.write() as connection:
            return connection.execute(REMOVE, {"name": name, "did": did}).rowcount == 1

    def list(self) -> Sequence[Group]:
        return self._database.all(Group, LIST)

    def members(self, name: str) -> Sequence[Member]:
        return self._database.all(Member, MEMBERS, name=name)

    def of(self, did: Did) -> tuple[str, ...]:
        with self._database.quick_read() as connection:
            rows = connection.execute(OF, {"did": did}).mappings().all()
        return tuple(sorted(row["group_name"] for row in rows))
