"""`make translations`: write every text of pages and errors into the catalogues.

Each `app/translations/*.po` keeps its translations, gets the new texts without one, and
loses those that no page has any more. Translate what is empty, and run it again.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from app.failures.texts import MESSAGES, MINUTES, SECONDS, UNKNOWN
from app.flows.sessions.device_name import SYSTEMS
from app.web.languages.catalogues import locale_of

from . import event_text, permission_text

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "app/translations"

SOURCES = {"templates": "**.html", "app/blueprints": "**.py", "app/web": "**.py"}
KEYWORDS: dict[str, Any] = {"_": None, "gettext": None, "ngettext": (1, 2)}
OPTIONS = {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}

HEADER = """\
msgid ""
msgstr ""
"Language: {}\\n"
"Plural-Forms: {}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""

Text = str | tuple[str, ...]


def texts() -> Iterator[tuple[Text, str]]:
    """Yield each text, and the comment for those who translate it."""
    for folder, pattern in SOURCES.items():
        method = "jinja2" if pattern.endswith("html") else "python"
        found = extract_from_dir(
            ROOT / folder,
            method_map=[(pattern, method)],
            options_map={"**.html": OPTIONS},
            keywords=KEYWORDS,
        )
        for file, _, text, _, _ in found:
            yield text, f"{folder}/{file}"
    yield from _tables()


def _tables() -> Iterator[tuple[Text, str]]:
    """Yield the texts of tables, which are looked up before they are translated."""
    for (code, variant), row in MESSAGES.items():
        where = f"{code} {variant}".strip()
        yield row.title, f"error {where}: title"
        yield row.text, f"error {where}"
        yield row.step[0], "the button below an error"
    for stand_in in UNKNOWN.values():
        yield stand_in, "inside the sentence of an error"
    yield SECONDS, "duration"
    yield MINUTES, "duration"
    for ending in (*event_text.ENDS.values(), *event_text.EVENTS.values()):
        yield ending, "an event on the account page"
    yield event_text.BY_OPERATOR, "{what} is another event"
    yield event_text.RENAMED, "{what} is another event, the others are usernames"
    for _mark, system in SYSTEMS:
        yield system, "follows 'on' in: %(browser)s on %(system)s"
    for table in _permissions():
        for phrase in table.values():
            yield phrase, "a permission, follows 'may'"
    yield permission_text.WORD, "a permission, follows 'may'"


def _permissions() -> tuple[Mapping[Any, str], ...]:
    said = permission_text
    return said.COARSE, said.VERBS, said.FILES, said.ACCOUNT


def template() -> Catalog:
    """Return a catalogue of all texts, without translations."""
    catalogue = Catalog(charset="utf-8")
    for text, comment in texts():
        catalogue.add(text, auto_comments=[comment])
    return catalogue


def updated(path: Path, catalogue: Catalog) -> Catalog:
    """Return the catalogue of a language with exactly the texts there are."""
    with path.open("rb") as file:
        found = read_po(file)
    kept = Catalog(locale=locale_of(path.stem), header_comment="", fuzzy=False)
    for message in catalogue:
        if not message.id:
            continue
        known = found.get(message.id)
        string = known.string if known and not known.fuzzy else None
        kept.add(message.id, string, auto_comments=message.auto_comments)
    return kept


def written(catalogue: Catalog) -> bytes:
    """Return the text of a .po file; its header has no times and no names."""
    file = io.BytesIO()
    write_po(file, catalogue, width=88, sort_output=True, omit_header=True)
    header = HEADER.format(catalogue.locale_identifier, catalogue.plural_forms)
    return header.encode() + file.getvalue()


def _is_translated(message: Message) -> bool:
    """Tell whether a text has a translation, with every plural form of its language."""
    forms = message.string
    return all((forms,) if isinstance(forms, str) else forms or ("",))


def main(folder: Path = FOLDER) -> None:
    """Rewrite every catalogue, and say how many texts have no translation."""
    catalogue = template()
    for path in sorted(folder.glob("*.po")):
        kept = updated(path, catalogue)
        path.write_bytes(written(kept))
        empty = sum(1 for message in kept if message.id and not _is_translated(message))
        sys.stdout.write(f"{path.name}: {len(kept)} texts, {empty} to translate\n")


if __name__ == "__main__":
    main()
