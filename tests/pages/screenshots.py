"""Pictures of every page: phone and desktop, light and dark.

`.venv/bin/python -m tests.pages.screenshots var/screenshots [part of a name]`
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.pages.chromium import ORIGIN, chromium, visitor
from tests.pages.preview import create_preview
from tests.pages.samples import everything

SIZES = {"phone": (320, 640), "desktop": (1280, 800)}


def main(folder: Path, part: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = [sample.name for sample in everything() if part in sample.name]
    with chromium() as browser:
        for size, (width, height) in SIZES.items():
            for scheme in ("light", "dark"):
                with visitor(
                    browser,
                    create_preview(),
                    viewport={"width": width, "height": height},
                    color_scheme=scheme,
                    has_touch=size == "phone",
                    is_mobile=size == "phone",
                ) as context:
                    page = context.new_page()
                    for name in names:
                        page.goto(f"{ORIGIN}/{name}")
                        path = folder / f"{name}--{size}-{scheme}.png"
                        page.screenshot(path=path, full_page=True)
    print(f"{len(names) * 4} pictures in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
