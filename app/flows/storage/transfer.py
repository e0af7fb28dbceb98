"""Fill an empty database with the rows of other tables, and compare both."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Final

from app.flows.counted import counted

from .errors import MoveRefused
from .ports import NewTables, Progress, Row, Tables

BATCH: Final = 500
"""Rows that are read or written at once."""


def transfer(source: Tables, target: NewTables, progress: Progress) -> int:
    """Insert every row of the source into the target; return how many.

    Each table is read back and compared with its source.

    Raises:
        MoveRefused: a secret does not decrypt, or the target holds other rows.
    """
    moved = 0
    for name in source.names:
        sent, arrived = Digest(), Digest()
        with progress(name, 2 * source.count(name)) as done:
            for batch in in_batches(source.rows(name)):
                target.insert(name, batch)
                sent.add(batch)
                done(len(batch))
            for batch in in_batches(target.rows(name)):
                arrived.add(batch)
                done(len(batch))
        _require_equal(name, sent, arrived)
        moved += sent.rows
    return moved


def in_batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield the rows in lists of BATCH."""
    remaining = iter(rows)
    while batch := list(itertools.islice(remaining, BATCH)):
        yield batch


class Digest:
    """The number of rows and a hash of all, in any order."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, rows: Iterable[Row]) -> None:
        """Take rows into account."""
        for row in rows:
            canonical = json.dumps(dict(row), sort_keys=True).encode()
            self._sum += int.from_bytes(hashlib.sha256(canonical).digest(), "big")
            self.rows += 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Digest) and (self.rows, self._sum) == (
            other.rows,
            other._sum,
        )

    __hash__ = None  # type: ignore[assignment] # it changes


def _require_equal(table: str, sent: Digest, arrived: Digest) -> None:
    if arrived != sent:
        raise MoveRefused(
            f"{table}: {counted(sent.rows, 'row was', 'rows were')} written and "
            f"{arrived.rows} read back, or their values differ; nothing was kept"
        )
