"""Secrets at rest: which key encrypts which rows, and encrypt all under SECRET_KEY.

`ResealSecrets` runs beside the service, which reads old and new rows alike. It may be
interrupted and run again: what is done stays done, and a row that the service writes
meanwhile is left as the service wrote it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from app.flows.operator import Operator
from app.flows.ports import Audit

BATCH: Final = 100
"""Rows of one transaction; encrypting them takes a few milliseconds."""

PAUSE: Final = 0.01
"""Seconds between two batches, in which others get the database."""

PASSES: Final = 3
"""Passes over a table. A later one finds only rows that a process with an older
SECRET_KEY has written meanwhile."""

Counts = Mapping[str, Mapping[str, int]]
"""Rows by the fingerprint of their key, then by table."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step did; `last` is the primary key at which the next one begins."""

    resealed: int
    unreadable: int
    last: Sequence[str] | None
    """None at the end of the table."""


class EncryptedRows(Protocol):
    """The tables with secrets, each encrypted for its row under one key."""

    def count(self) -> Counts:
        """Count the rows of every table by the fingerprint of their key."""

    def tables(self) -> Sequence[str]:
        """Return the names of the tables that have secrets."""

    def reseal(self, table: str, after: Sequence[str] | None, limit: int) -> Batch:
        """Encrypt some rows that are under another key than the current one.

        A row that changed since it was read is left alone.
        """


@dataclass(frozen=True, slots=True)
class SecretKeyRows:
    """The rows under one key, which is known by its fingerprint."""

    fingerprint: str
    setting: str | None
    """The setting that holds the key; None: no setting does."""
    tables: Mapping[str, int]

    @property
    def rows(self) -> int:
        """The number of rows of all tables."""
        return sum(self.tables.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretsStatus:
    """`secrets status`."""

    encrypted: EncryptedRows
    settings: Mapping[str, str]
    """The setting of each configured key by its fingerprint, the current one first."""

    def __call__(self) -> Sequence[SecretKeyRows]:
        """Return every configured key, the current one first, then unknown ones."""
        counts = self.encrypted.count()
        unknown = sorted(counts.keys() - self.settings.keys())
        return [
            SecretKeyRows(key, self.settings.get(key), counts.get(key, {}))
            for key in (*self.settings, *unknown)
        ]


@dataclass(slots=True)
class Resealed:
    """What a run did so far."""

    resealed: int = 0
    unreadable: int = 0
    """Rows that no configured key decrypts."""
    left: int = field(default=0)
    """Rows that are still under another key than the current one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResealSecrets:
    """`secrets reseal`: encrypt every row under the current SECRET_KEY."""

    encrypted: EncryptedRows
    status: SecretsStatus
    audit: Audit
    clock: Callable[[], float]
    pause: Callable[[float], object] = time.sleep

    def left(self) -> int:
        """Return how many rows are under another key than the current one."""
        _, *others = self.status()
        return sum(one.rows for one in others)

    def run(self, operator: Operator, report: Callable[[int], object]) -> Resealed:
        """Encrypt every row; `report` is told the rows of each batch.

        The audit records what was done, also of a run that is interrupted.
        """
        done = Resealed()
        try:
            for table in self.encrypted.tables():
                self._reseal_table(table, done, report)
            done.left = self.left()
        finally:
            current = next(iter(self.status.settings))
            detail = {"rows": done.resealed, "key": current, **operator.as_detail()}
            self.audit.record("secrets_resealed", now=self.clock(), detail=detail)
        return done

    def _reseal_table(
        self, table: str, done: Resealed, report: Callable[[int], object]
    ) -> None:
        unreadable = 0
        for _ in range(PASSES):
            before = done.resealed
            unreadable = self._pass(table, done, report)
            if done.resealed == before:
                break
        done.unreadable += unreadable

    def _pass(self, table: str, done: Resealed, report: Callable[[int], object]) -> int:
        """Encrypt the rows of a table once; return how many are unreadable."""
        unreadable = 0
        after: Sequence[str] | None = ()
        while after is not None:
            batch = self.encrypted.reseal(table, after or None, BATCH)
            done.resealed += batch.resealed
            unreadable += batch.unreadable
            report(batch.resealed)
            after = batch.last
            self.pause(PAUSE)
        return unreadable
