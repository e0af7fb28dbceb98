"""Writes `.env.example` and `docs/configuration.md`: `python -m app.config`."""

from __future__ import annotations

from pathlib import Path

from .docs import configuration_page, env_example
from .settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Write both files and say so."""
    pages = {
        ROOT / ".env.example": env_example(Settings),
        ROOT / "docs" / "configuration.md": configuration_page(Settings),
    }
    for path, text in pages.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
