"""Errors of backup, restore and copy; only commands meet them."""

from __future__ import annotations

from app.flows.errors import FlowError


class MoveRefused(FlowError):
    """A database or a folder that cannot take part in it; says what to do."""
