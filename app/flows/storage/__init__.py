"""Operator's work on the database as a whole: upgrade, backup, restore, copy."""

from __future__ import annotations

from dataclasses import dataclass

from .backup import BackUp, Restore
from .copy import CopyDatabase
from .upgrade import UpgradeSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageWork:
    """The use cases that concern the database as a whole."""

    upgrade: UpgradeSchema
    back_up: BackUp
    restore: Restore
    copy: CopyDatabase
