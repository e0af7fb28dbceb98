"""Encrypted rows of all tables: counted by their key, and encrypted under another one.

Every table with a column `secrets` belongs here; its primary key is the identity for
which the value is encrypted (`encryption.aad_of`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    MetaData,
    RowMapping,
    Table,
    and_,
    func,
    or_,
    select,
    update,
)

from app.flows.storage.secrets import Batch, Counts, EncryptedRows
from app.stores.sql.database import Database

from .encryption import FINGERPRINT_LENGTH, VERSION, Cipher, aad_of
from .errors import DecryptionFailed

SECRETS: Final = "secrets"
BEFORE_KEY: Final = len(f"{VERSION}.")

SAMPLE: Final = 1_000
"""Rows of each table that a start looks at."""


class SqlEncryptedRows(EncryptedRows):
    """The tables with secrets."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher
        self._known: Mapping[str, Table] | None = None

    @property
    def fingerprints(self) -> Sequence[str]:
        """The fingerprints of the configured keys, the current one first."""
        return self._cipher.fingerprints

    def tables(self) -> Sequence[str]:
        with self._database.read() as connection:
            return list(self._tables(connection))

    def count(self) -> Counts:
        return self._counted(limit=None)

    def missing_keys(self) -> Sequence[str]:
        """Return the fingerprints of unknown keys in the first rows of each table."""
        known = self._cipher.fingerprints
        return sorted(key for key in self._counted(limit=SAMPLE) if key not in known)

    def reseal(self, table: str, after: Sequence[str] | None, limit: int) -> Batch:
        """Encrypt some rows that are under another key than the current one.

        They are read and encrypted before the transaction begins. A row that changed
        meanwhile has another value of `secrets` and is left alone.
        """
        with self._database.read() as connection:
            found = self._tables(connection)[table]
            rows = connection.execute(self._others(found, after, limit)).mappings()
            read = rows.all()
        changes = [one for row in read if (one := self._resealed(found, row))]
        with self._database.write() as connection:
            resealed = sum(
                connection.execute(_replace(found, row, value)).rowcount
                for row, value in changes
            )
        is_last = len(read) < limit
        return Batch(
            resealed=resealed,
            unreadable=len(read) - len(changes),
            last=None if is_last else _identity(found, read[-1]),
        )

    def _counted(self, *, limit: int | None) -> Counts:
        counts: dict[str, dict[str, int]] = {}
        with self._database.read() as connection:
            for name, table in self._tables(connection).items():
                rows = select(_fingerprint(table.c[SECRETS]).label("key")).select_from(
                    table
                )
                sample = rows.limit(limit).subquery()
                counting = select(sample.c.key, func.count()).group_by(sample.c.key)
                for key, count in connection.execute(counting).all():
                    counts.setdefault(key, {})[name] = count
        return counts

    def _tables(self, connection: Connection) -> Mapping[str, Table]:
        if self._known is None:
            found = MetaData()
            found.reflect(connection)
            self._known = {
                table.name: table for table in found.sorted_tables if SECRETS in table.c
            }
        return self._known

    def _others(self, table: Table, after: Sequence[str] | None, limit: int) -> Any:
        """Return the query of rows under other keys, in the order of the identity."""
        keys = list(table.primary_key)
        is_other = _fingerprint(table.c[SECRETS]) != self._cipher.fingerprints[0]
        query = select(*keys, table.c[SECRETS]).where(is_other)
        if after is not None:
            query = query.where(_beyond(keys, after))
        return query.order_by(*keys).limit(limit)

    def _resealed(self, table: Table, row: RowMapping) -> tuple[RowMapping, str] | None:
        aad = aad_of(table.name, *_identity(table, row))
        try:
            plain = self._cipher.decrypt(row[SECRETS], aad=aad)
        except DecryptionFailed:
            return None
        return row, self._cipher.encrypt(plain, aad=aad)


def _fingerprint(column: ColumnElement[Any]) -> ColumnElement[str]:
    return func.substr(column, BEFORE_KEY + 1, FINGERPRINT_LENGTH)


def _identity(table: Table, row: RowMapping) -> Sequence[str]:
    return [str(row[key.name]) for key in table.primary_key]


def _beyond(
    keys: Sequence[ColumnElement[Any]], after: Sequence[str]
) -> ColumnElement[bool]:
    """Return the condition `(keys) > (after)`, column by column."""
    return or_(
        *(
            and_(
                *(keys[before] == after[before] for before in range(index)),
                keys[index] > after[index],
            )
            for index in range(len(keys))
        )
    )


def _replace(table: Table, row: RowMapping, value: str) -> Any:
    same = [key == row[key.name] for key in table.primary_key]
    unchanged = table.c[SECRETS] == row[SECRETS]
    return update(table).where(*same, unchanged).values({SECRETS: value})
