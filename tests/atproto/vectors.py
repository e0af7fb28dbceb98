"""The public vectors, read where they lie: beside the repository, or where told.

They are other people's work and not copied here. Without them their tests are skipped,
and say so.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(
    os.environ.get("LATCHKEY_VECTORS")
    or Path(__file__).resolve().parents[3] / "shared" / "vectors"
)

absent = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"no public vectors at {FOLDER} (LATCHKEY_VECTORS)"
)


def lines(name: str) -> list[Any]:
    """Return the lines of a vector file as parameters, comments left out.

    Blanks at the ends of a line stand: some invalid vectors are only wrong by them.
    """
    if not FOLDER.is_dir():
        return [pytest.param("", marks=absent)]
    text = (FOLDER / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def document(name: str) -> Any:
    """Return a captured document."""
    return json.loads((FOLDER / "metadata" / name).read_text(encoding="utf-8"))
