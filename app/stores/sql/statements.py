"""SQL files as statements."""

from __future__ import annotations


def statements(sql: str) -> list[str]:
    """Return the statements of an SQL file without its comments."""
    code = "\n".join(line.partition("--")[0] for line in sql.splitlines())
    return [statement for part in code.split(";") if (statement := part.strip())]
