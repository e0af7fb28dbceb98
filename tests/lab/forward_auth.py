"""Forward auth in the laboratory's nginx: the text that our page tells operators."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "forward-auth.md"


def forward_auth(*, serves: int) -> str:
    """Return the locations of the page, with the laboratory's port."""
    return _snippet("nginx").replace(":9000", f":{serves}")


def upstream(*, asks: int) -> str:
    """Return what the page has beside the servers: where we are asked."""
    return _snippet("nginx upstream").replace(":8000", f":{asks}")


def _snippet(name: str) -> str:
    [found] = re.findall(rf"```{name}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(found)
