"""Copy the database into an empty one of either kind."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from app.flows.operator import Operator
from app.flows.ports import Audit

from .ports import Progress, Storage
from .transfer import transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyDatabase:
    """Copy every row as it is at one moment; secrets stay encrypted under our keys."""

    storage: Storage
    open_target: Callable[[str], AbstractContextManager[tuple[Storage, Audit]]]
    """Opens the database of a URL; raises MoveRefused for a URL that is none."""
    audit: Audit
    clock: Callable[[], float]

    def run(self, url: str, *, operator: Operator, progress: Progress) -> int:
        """Return the number of rows, each of which was read back and compared.

        The copy is audited in both databases.

        Raises:
            MoveRefused: the target is not empty, or holds other rows than the source;
                nothing is kept there.
            StorageFailed: one of the databases does not answer.
        """
        with self.open_target(url) as (target, audit_there):
            with (
                self.storage.snapshot() as source,
                target.fill(source.schema) as tables,
            ):
                rows = transfer(source, tables, progress)
            detail = {"rows": rows, **operator.as_detail()}
            for audit in (self.audit, audit_there):
                audit.record("database_copied", now=self.clock(), detail=detail)
        return rows
