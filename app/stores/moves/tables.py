"""All tables of a database: read at one moment, or filled in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, MetaData, Table, func, insert, select

from app.flows.storage.errors import MoveRefused
from app.flows.storage.ports import Row, Storage
from app.stores.encryption import Cipher, aad_of
from app.stores.errors import DecryptionFailed
from app.stores.sql.database import Database
from app.stores.sql.versions import BOOKKEEPING, version_of

SEALED = "secrets"
"""The column that is encrypted for its table and primary key, in every table."""

BATCH = 500


class SqlTables:
    """The tables that a connection sees, with the release that made them."""

    def __init__(self, connection: Connection, schema: str) -> None:
        self.schema = schema
        self._connection = connection
        found = MetaData()
        found.reflect(connection)
        self._tables = {
            table.name: table
            for table in found.sorted_tables
            if table.name not in BOOKKEEPING
        }

    @property
    def names(self) -> Sequence[str]:
        """The names of the tables."""
        return list(self._tables)

    def count(self, table: str) -> int:
        """Return the number of rows."""
        query = select(func.count()).select_from(self._tables[table])
        return int(self._connection.execute(query).scalar_one())

    def rows(self, table: str) -> Iterator[Row]:
        """Yield the rows, in any order, without holding all of them."""
        query = select(self._tables[table]).execution_options(yield_per=BATCH)
        for row in self._connection.execute(query).mappings():
            yield dict(row)


class NewSqlTables(SqlTables):
    """The tables of a new database."""

    def __init__(self, connection: Connection, schema: str, cipher: Cipher) -> None:
        super().__init__(connection, schema)
        self._cipher = cipher

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Insert rows. Raises MoveRefused when a secret of theirs does not decrypt."""
        known = self._tables.get(table)
        if known is None:
            raise MoveRefused(f"the schema of release {self.schema} has no {table}")
        if SEALED in known.c:
            for row in rows:
                self._require_open(known, row)
        self._connection.execute(insert(known), [dict(row) for row in rows])

    def _require_open(self, table: Table, row: Row) -> None:
        identity = [str(row[column.name]) for column in table.primary_key]
        try:
            self._cipher.decrypt(row[SEALED], aad=aad_of(table.name, *identity))
        except DecryptionFailed as error:
            raise MoveRefused(
                f"{table.name}: a secret is {error}. Nothing was kept"
            ) from error


class SqlStorage(Storage):
    """A database as a whole, and the keys under which its secrets are encrypted."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher

    @contextmanager
    def snapshot(self) -> Iterator[SqlTables]:
        with self._database.snapshot() as connection:
            schema = version_of(connection)
            if schema is None:
                raise MoveRefused("the database has no tables yet")
            yield SqlTables(connection, schema)

    @contextmanager
    def fill(self, schema: str) -> Iterator[NewSqlTables]:
        with self._database.create(schema) as connection:
            yield NewSqlTables(connection, schema, self._cipher)

    def upgrade_schema(self, report: Callable[[str], None]) -> tuple[str | None, str]:
        return self._database.upgrade_schema(report)
