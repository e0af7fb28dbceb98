"""Forward auth in the laboratory's nginx: the text that our page tells operators."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "forward-auth.md"


def forward_auth(*, asks: int, serves: int) -> str:
    """Return the locations of the page, with the laboratory's ports."""
    [snippet] = re.findall(r"```nginx\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return snippet.replace(":8000", f":{asks}").replace(":9000", f":{serves}")
