"""`make shots`: pictures of every page and state, for people to look at.

Phone and desktop, light and dark: in English with our own face, and in the longest
language with a logo and an odd accent. `index.html` beside the pictures shows them all.

`.venv/bin/python -m tests.pages.screenshots var/shots [part of a name]`
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, sync_playwright

from tests.pages.chromium import ORIGIN, launch, visitor
from tests.pages.faces import ODD, longest_language
from tests.pages.preview import PLAIN, create_preview
from tests.pages.samples import everything

Scheme = Literal["light", "dark"]

SIZES = {
    "phone": {"width": 390, "height": 844},
    "desktop": {"width": 1280, "height": 800},
}
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


def main(folder: Path, part: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = [sample.name for sample in everything() if part in sample.name]
    looks = {"plain": ("en", PLAIN), "odd": (longest_language(), ODD)}
    with sync_playwright() as playwright, launch(playwright) as browser:
        for (look, (language, brand)), size, scheme in product(
            looks.items(), SIZES, SCHEMES
        ):
            app = create_preview(language=language, brand=brand)
            path = folder / f"{look}-{size}-{scheme}"
            take(browser, app, names, path, size=size, scheme=scheme)
    pictures = sorted(folder.glob("*/*.png"))
    (folder / "index.html").write_text(index(folder, pictures), encoding="utf-8")
    print(f"{len(pictures)} pictures in {folder}")


def take(
    browser: Browser,
    app: Any,
    names: list[str],
    folder: Path,
    *,
    size: str,
    scheme: Scheme,
) -> None:
    """One picture of each page, as tall as the page is."""
    folder.mkdir(exist_ok=True)
    options = {
        "viewport": SIZES[size],
        "color_scheme": scheme,
        "has_touch": size == "phone",
        "is_mobile": size == "phone",
    }
    with visitor(browser, app, **options) as context:
        page = context.new_page()
        for name in names:
            page.goto(f"{ORIGIN}/{name}")
            page.screenshot(path=folder / f"{name}.png", full_page=True)


def index(folder: Path, pictures: list[Path]) -> str:
    """A page with all pictures, those of one sample side by side."""
    by_name = sorted(pictures, key=lambda path: (path.stem, str(path)))
    shown = "".join(
        f'<figure><img src="{p.relative_to(folder)}" width="260" loading="lazy">'
        f"<figcaption>{p.stem} {p.parent.name}</figcaption></figure>"
        for p in by_name
    )
    style = "body{display:flex;flex-wrap:wrap;align-items:start;font:13px sans-serif}"
    return f"<!doctype html><title>Pages</title><style>{style}</style>{shown}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
