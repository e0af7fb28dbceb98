"""Plain words: vague pronouns of old docstrings and test names are counted."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KINDS = {".py", ".md", ".js", ".mjs", ".css", ".proto", ".sql"}
VAGUE = re.compile(
    r"(?<![a-z])(?:nobody|somebody|whoever|whatever)(?![a-z])", re.IGNORECASE
)
MOST = 12
"""Occurrences in app/, tests/, docs/ and the pages of the root. It only goes down."""


def sources() -> list[Path]:
    """Return the files that engineers read, without templates and messages."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("*.sql")]
    for folder in ("app", "tests", "docs"):
        found += [
            path
            for path in (ROOT / folder).rglob("*")
            if path.suffix in KINDS and "node_modules" not in path.parts
        ]
    left_out = {Path(__file__).resolve(), ROOT / "app/failures/texts.py"}
    return [path for path in found if path not in left_out]


def test_vague_pronouns_in_the_sources_are_at_most_the_agreed_number() -> None:
    counted = {
        str(path.relative_to(ROOT)): len(VAGUE.findall(path.read_text("utf-8")))
        for path in sources()
    }

    found = {name: count for name, count in counted.items() if count}
    assert sum(found.values()) <= MOST, found
