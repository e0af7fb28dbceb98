"""Records to rows and back: field by field, times in whole seconds, secrets sealed.

Times are cut, never rounded: evidence may look older than it is and an expiry sooner,
not the other way.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import column, text

from .encryption import place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from _typeshed import DataclassInstance
    from sqlalchemy import ColumnClause, RowMapping, TextualSelect

    from .encryption import Cipher


def fetching(columns: Sequence[str], statement: str) -> TextualSelect:
    """Return the statement that yields these columns, `{columns}` in its text.

    SQLAlchemy keeps what it learned of a result when it is told the columns; otherwise
    it describes every result anew, which takes as long as SQLite needs for a row. And
    a column that a newer version has added does not come along.
    """
    named: list[ColumnClause[Any]] = [
        column(name.rpartition(".")[2]) for name in columns
    ]
    return text(statement.format(columns=", ".join(columns))).columns(*named)


def row_of(record: DataclassInstance) -> dict[str, Any]:
    """Return the fields of a record as they are stored."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return {
        name: int(value) if isinstance(value, float) else value
        for name, value in values.items()
    }


@dataclass(frozen=True, slots=True)
class SealedFields:
    """The secret fields of a table's records: one sealed JSON object in `secrets`."""

    cipher: Cipher
    table: str
    names: tuple[str, ...]

    def seal(self, row: Mapping[str, Any], *identity: str) -> dict[str, Any]:
        """Return the row with its secret fields sealed for the row's identity."""
        secrets = {name: row[name] for name in self.names}
        plain = {name: row[name] for name in row if name not in secrets}
        sealed = self.cipher.seal(
            json.dumps(secrets), context=place(self.table, *identity)
        )
        return {**plain, "secrets": sealed}

    def open(self, row: RowMapping, *identity: str) -> dict[str, Any]:
        """Return the row with its secret fields in clear. Raises `CipherError`."""
        plain = {name: row[name] for name in row if name != "secrets"}
        opened = self.cipher.open(row["secrets"], context=place(self.table, *identity))
        return {**plain, **json.loads(opened)}
