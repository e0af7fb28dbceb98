"""Message catalogues: gettext .po files, compiled in memory when first needed.

`app/translations/de.po` has every text of pages and errors in German; English is the
text in the sources. A second folder, the operator's, may replace single texts of any
language, or add a language. No .mo file is stored: the service runs from a checkout
without a build step, and compiling a catalogue costs milliseconds, once per process.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from babel.support import Translations

SOURCE = "en"
"""The language of the texts in the sources (a BCP 47 tag)."""

_PLACEHOLDER = re.compile(r"%\((\w+)\)s|\{(\w+)\}|(%)(?!\()")


class CatalogueInvalid(Exception):
    """A .po file that cannot be used; the text names the file and the reason."""


@dataclass(frozen=True)
class Catalogues:
    """All catalogues; texts of a later folder replace those of an earlier one."""

    folders: tuple[Path, ...]

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """The BCP 47 tags of the languages: English, then the others in order."""
        found = {path.stem for folder in self.folders for path in folder.glob("*.po")}
        return (SOURCE, *sorted(found - {SOURCE}))

    def texts(self, language: str) -> Translations:
        """Return the texts in one of the `languages`."""
        return _compiled(self.folders, language)

    def check(self) -> None:
        """Compile every catalogue, so that a broken one is noticed at the start.

        Raises:
            CatalogueInvalid: no language has this name, the file cannot be parsed, or
                a text has other placeholders than the original.
        """
        for language in self.languages:
            self.texts(language)


@cache
def locale_of(language: str) -> Locale:
    """Return how a language writes dates and lists, and in which direction.

    English dates are those of Britain: the day first, hours from 0 to 23.

    Raises:
        CatalogueInvalid: there is no such language.
    """
    try:
        return Locale.parse("en-GB" if language == SOURCE else language, sep="-")
    except (ValueError, UnknownLocaleError) as error:
        raise CatalogueInvalid(f"{language}.po: {error}") from error


@cache
def name_of(language: str) -> str:
    """Return the name of a language in itself, with a capital: `Português (Brasil)`."""
    locale = Locale.parse(language, sep="-")
    name = locale.get_display_name(locale) or language
    return name[0].upper() + name[1:]


@cache
def _compiled(folders: tuple[Path, ...], language: str) -> Translations:
    merged = Catalog(locale=locale_of(language))
    for path in (folder / f"{language}.po" for folder in folders):
        if path.is_file():
            _add(merged, path)
    file = io.BytesIO()
    write_mo(file, merged)
    file.seek(0)
    return Translations(file)


def _add(merged: Catalog, path: Path) -> None:
    """Add the translated texts of a file; they replace what was there."""
    try:
        with path.open("rb") as file:
            catalogue = read_po(file, abort_invalid=True)
    except (OSError, ValueError, PoFileError) as error:
        raise CatalogueInvalid(f"{path}: {error}") from error
    for message in catalogue:
        if message.id and any(_texts(message.string)) and not message.fuzzy:
            check_placeholders(message, path)
            merged.delete(message.id, message.context)
            merged.add(message.id, message.string, context=message.context)


def check_placeholders(message: Message, path: Path) -> None:
    """Check that a translation has no placeholder that the page does not fill.

    Raises:
        CatalogueInvalid: the page with this text could not be rendered.
    """
    known = set(_placeholders(message.id))
    for text in _texts(message.string):
        unknown = set(_placeholders(text)) - known
        if unknown:
            named = ", ".join(sorted(unknown))
            raise CatalogueInvalid(f"{path}: {text!r} has {named}, the original not")


def _placeholders(texts: Any) -> Iterator[str]:
    for text in _texts(texts):
        for named, braced, bare in _PLACEHOLDER.findall(text):
            yield named or braced or bare


def _texts(texts: Any) -> tuple[str, ...]:
    """Return the forms of a text: one, or one for each plural."""
    return (texts,) if isinstance(texts, str) else tuple(texts)
