"""Pictures of every page: phone and desktop, light and dark.

`.venv/bin/python -m tests.pages.screenshots var/screenshots [part of a name]`
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

from tests.pages.chromium import ORIGIN, launch, visitor
from tests.pages.preview import create_preview
from tests.pages.samples import everything

Scheme = Literal["light", "dark"]

SIZES = {
    "phone": {"width": 320, "height": 640},
    "desktop": {"width": 1280, "height": 800},
}
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


def main(folder: Path, part: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = [sample.name for sample in everything() if part in sample.name]
    with sync_playwright() as playwright, launch(playwright) as browser:
        for size, scheme in product(SIZES, SCHEMES):
            take(browser, folder, names, size=size, scheme=scheme)
    print(f"{len(names) * 4} pictures in {folder}")


def take(
    browser: Browser, folder: Path, names: list[str], *, size: str, scheme: Scheme
) -> None:
    """One picture of each page, as tall as the page is."""
    options = {
        "viewport": SIZES[size],
        "color_scheme": scheme,
        "has_touch": size == "phone",
        "is_mobile": size == "phone",
    }
    with visitor(browser, create_preview(), **options) as context:
        page = context.new_page()
        for name in names:
            page.goto(f"{ORIGIN}/{name}")
            path = folder / f"{name}--{size}-{scheme}.png"
            page.screenshot(path=path, full_page=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
