"""The operator who runs a command: who acts and why, for the audit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operator:
    """The unix user behind a command, and the reason that was given with `--reason`."""

    name: str
    reason: str | None = None

    def as_detail(self) -> dict[str, object]:
        """Return the fields that an audit event of this operator's act holds."""
        detail: dict[str, object] = {"operator": self.name}
        if self.reason:
            detail["reason"] = self.reason
        return detail
