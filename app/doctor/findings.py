"""Findings of `doctor`: what was seen, why it matters, what to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that an operator should correct."""

    what: str
    why: str
    todo: str


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of one check; `skipped` says why it did not apply."""

    check: str
    findings: tuple[Finding, ...] = ()
    skipped: str | None = None


class Skipped(Exception):
    """The check does not apply to this deployment."""
