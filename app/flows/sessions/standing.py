"""Standing: a live session with what counts of its account, read in one statement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from app.flows.ports import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A live session, and whether its account may use it."""

    session: Session
    has_account: bool
    """False for a newcomer before the sign-up, and after a deletion."""
    is_disabled: bool
    groups: tuple[str, ...]
    """Names of the account's groups, sorted."""


class Standings(Protocol):
    """What every verification reads."""

    def of(self, sid: str) -> Standing | None:
        """Return the standing of a session; None if unknown, ended or expired."""
