"""Faces of operators to look at pages with: a logo, an odd accent, an own language."""

from __future__ import annotations

from babel.messages.pofile import read_po

from app.config.colour import dark_theme, light_theme
from app.factory.brand import declared
from app.web.brand import Brand, Logo, Style
from tests.pages.preview import ROOT

TRANSLATIONS = ROOT / "app/translations"

WIDE = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 28">
<rect width="160" height="28" rx="14" fill="#ffee00"/>
<circle cx="14" cy="14" r="9" fill="#c0188a"/><circle cx="146" cy="14" r="9"/></svg>"""

ODD_ACCENT = "#ffee00"
"""Far too light for the light theme."""


def brand(accent: str = ODD_ACCENT) -> Brand:
    """Return a face with everything in it."""
    light, dark = declared(light_theme(accent)), declared(dark_theme(accent))
    return Brand(
        logo=Logo(content=WIDE, media_type="image/svg+xml", mark="1"),
        style=Style(
            content=f"{light}@media (prefers-color-scheme: dark) {{{dark}}}", mark="1"
        ),
        home_url="https://www.meadow.example/",
        terms_url="https://www.meadow.example/terms",
        privacy_url="https://www.meadow.example/privacy",
        support_url="mailto:help@meadow.example",
    )


ODD = brand()


def longest_language() -> str:
    """Return the language whose texts are the longest in all."""
    sizes = {}
    for path in TRANSLATIONS.glob("*.po"):
        with path.open("rb") as file:
            texts = read_po(file)
        sizes[path.stem] = sum(len(str(message.string)) for message in texts)
    return max(sizes, key=lambda language: sizes[language])
