"""A count with its noun in the singular or plural, for operators: commands, findings.

Pages have translated plurals of their own (`app/web/languages`).
"""

from __future__ import annotations


def counted(count: int, one: str, many: str) -> str:
    """Return `1 finding` or `2 findings`, for "finding" and "findings"."""
    return f"{count} {one if count == 1 else many}"
