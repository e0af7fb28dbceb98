"""Records and rows: column lists from a record's fields, and encrypted secret fields.

Times are stored in whole seconds, rounded down: a verification may look older than it
is and an expiry sooner, not the other way.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnClause, TextualSelect, column, text

from app.stores.encryption import Cipher, aad_of
from app.stores.sql.quick import MappedRow

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SAME: Final[Mapping[str, str]] = MappingProxyType({})
"""Each column is named as its field."""


def columns_of(
    record: type[DataclassInstance],
    *,
    encrypted: Collection[str] = (),
    without: Collection[str] = (),
    named: Mapping[str, str] = SAME,
) -> tuple[str, ...]:
    """Return the columns of a record's table, in the order of its fields.

    `encrypted` fields share the column `secrets`, fields in `without` are not stored,
    and `named` maps a field to a column of another name.
    """
    left_out = {*encrypted, *without}
    names = [field.name for field in fields(record) if field.name not in left_out]
    columns = tuple(named.get(name, name) for name in names)
    return (*columns, "secrets") if encrypted else columns


def insert_into(table: str, columns: Sequence[str]) -> str:
    """Return the INSERT of one row, each value a parameter named as its column."""
    names, values = ", ".join(columns), ", ".join(f":{name}" for name in columns)
    return f"INSERT INTO {table} ({names}) VALUES ({values})"  # noqa: S608 - our names


def assignments(columns: Sequence[str], *, source: str = ":") -> str:
    """Return the SET list of an UPDATE; `excluded.` is the source of an upsert."""
    return ", ".join(f"{name} = {source}{name}" for name in columns)


def fetching(columns: Sequence[str], statement: str) -> TextualSelect:
    """Return the statement with its result columns in place of `{columns}`.

    SQLAlchemy caches the description of a result only if it knows the columns;
    describing it each time takes as long as SQLite needs for a row. Columns of a newer
    release are not read. `table.name AS other` names a result column.
    """
    named: list[ColumnClause[Any]] = [
        column(name.rpartition(" AS ")[2].rpartition(".")[2]) for name in columns
    ]
    return text(statement.format(columns=", ".join(columns))).columns(*named)


def row_of(
    record: DataclassInstance, *, named: Mapping[str, str] = SAME
) -> dict[str, Any]:
    """Return the fields of a record by column, as they are stored."""
    values = {
        named.get(name, name): getattr(record, name) for name in _names_of(type(record))
    }
    return {
        name: int(value) if isinstance(value, float) else value
        for name, value in values.items()
    }


@cache
def _names_of(record: type[DataclassInstance]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(record))


@dataclass(frozen=True, slots=True)
class EncryptedFields:
    """The secret fields of a table's records, encrypted as one JSON object."""

    cipher: Cipher
    table: str
    names: tuple[str, ...]

    def encrypt(self, row: Mapping[str, Any], *identity: str) -> dict[str, Any]:
        """Return the row with its secret fields encrypted for the row's identity."""
        secrets = {name: row[name] for name in self.names}
        plain = {name: row[name] for name in row if name not in secrets}
        encrypted = self.cipher.encrypt(
            json.dumps(secrets), aad=aad_of(self.table, *identity)
        )
        return {**plain, "secrets": encrypted}

    def decrypt(self, row: MappedRow, *identity: str) -> dict[str, Any]:
        """Return the row with its secret fields in clear. Raises `DecryptionFailed`."""
        plain = {name: row[name] for name in row if name != "secrets"}
        decrypted = self.cipher.decrypt(
            row["secrets"], aad=aad_of(self.table, *identity)
        )
        return {**plain, **json.loads(decrypted)}
