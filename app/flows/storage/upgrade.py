"""Upgrade the schema of the database to the one of this release."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from app.flows.operator import Operator
from app.flows.ports import Audit


class Schema(Protocol):
    """The schema of the database and its version, which is named after a release."""

    def apply_schema(self) -> bool:
        """Create the tables of a new database; False if they are there already.

        Raises:
            StorageFailed: the tables are another release's; says which command helps.
        """

    def require_schema(self) -> None:
        """Raise `StorageFailed` unless the tables are those of this release."""

    def schema_version(self) -> str | None:
        """Return the version of the database; None when it has no tables."""

    def upgrade_schema(self, report: Callable[[str], None]) -> tuple[str | None, str]:
        """Migrate; return the versions before and after, None for an empty database.

        Raises:
            StorageFailed: the tables are of a release that this one does not know.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeSchema:
    """Migrate the database, once among all nodes, and record it in the audit."""

    schema: Schema
    audit: Audit
    clock: Callable[[], float]

    def run(
        self, operator: Operator, report: Callable[[str], None]
    ) -> tuple[str | None, str]:
        """Return the versions before and after; None before is an empty database.

        `report` hears of each step when it begins. An interrupted upgrade may run
        again.

        Raises:
            StorageFailed: the tables are of a release that this one does not know, or
                a table stayed locked.
        """
        before, after = self.schema.upgrade_schema(report)
        if before not in {None, after}:
            detail = {"from": before, "to": after, **operator.as_detail()}
            self.audit.record("schema_upgraded", now=self.clock(), detail=detail)
        return before, after
