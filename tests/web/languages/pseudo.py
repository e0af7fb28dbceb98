"""A language in which every translated text stands in brackets: ⟦Sign in⟧."""

from __future__ import annotations

from html.parser import HTMLParser

from babel.support import NullTranslations

from app.web.languages.catalogues import Catalogues

OPEN, CLOSE = "⟦", "⟧"
TECHNICAL = {
    "aria-describedby", "autocomplete", "class", "content", "d", "fill", "href",
    "media", "pattern", "value", "viewbox",
}  # fmt: skip
"""Attributes that are no words, or a person's own."""


class Bracketed(NullTranslations):
    def gettext(self, message):
        return f"{OPEN}{message}{CLOSE}"

    def ngettext(self, singular, plural, num):
        return self.gettext(singular if num == 1 else plural)

    ugettext, ungettext = gettext, ngettext


class PseudoCatalogues(Catalogues):
    """Catalogues that have every text in brackets, in each of their languages."""

    def texts(self, language):
        return Bracketed()


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self.attributes: list[str] = []
        self._tag = ""

    def handle_starttag(self, tag, attrs):
        self._tag = tag
        self.attributes += [
            value
            for name, value in attrs
            if value and name not in TECHNICAL and tag != "time"  # written by Babel
        ]

    def handle_data(self, data):
        if self._tag not in {"time", "option"}:  # written by Babel
            self.pieces.append(data)

    def handle_endtag(self, tag):
        self._tag = ""


def outside_brackets(html: str) -> list[str]:
    """Return the texts of a page, and of its attributes, that no catalogue has."""
    reader = _Texts()
    reader.feed(html)
    found, depth = [""], 0
    for piece in reader.pieces:
        for character in piece:
            depth += (character == OPEN) - (character == CLOSE)
            if depth == 0 and character != CLOSE:
                found[-1] += character
        found.append("")
    spoken = [text for text in reader.attributes if " " in text and OPEN not in text]
    return [text for text in map(str.strip, [*found, *spoken]) if text]
