"""Update the catalogues of packages/latchkey-native: `python -m packages.translations`.

Each catalogue of `app/native/languages` gets the texts of the command
line and of the client's errors, and the .mo beside it is compiled: a wheel is made
without a build step, and the standard library reads .mo files alone.
"""

from __future__ import annotations

import ast
import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from app.web.pages.translations import written as po_text

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "app" / "native"
LANGUAGES = SOURCE / "languages"

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""In every .mo, so that it is the same for the same texts."""


def texts() -> Iterator[str]:
    """Yield the texts of the command line, then those of errors that are constants."""
    found = extract_from_dir(
        SOURCE / "cli", method_map=[("**.py", "python")], keywords={"_": None}
    )
    yield from (text for _, _, text, _, _ in found if isinstance(text, str))
    for path in sorted(SOURCE.rglob("*.py")):
        if not {"cli", "wire"} & set(path.relative_to(SOURCE).parts):
            yield from _errors(ast.parse(path.read_text("utf-8")))


def _errors(tree: ast.Module) -> Iterator[str]:
    """Yield what an error is raised with, and the `sentence` of its class."""
    for node in ast.walk(tree):
        value: ast.expr | None = None
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            value = node.exc.args[0] if node.exc.args else None
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            is_sentence = isinstance(target, ast.Name) and target.id == "sentence"
            value = node.value if is_sentence else None
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("__init__"):
            value = node.args[0] if node.args else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value


def updated(path: Path) -> Catalog:
    """Return the catalogue of a language with exactly the texts there are."""
    language = path.parents[1].name
    with path.open("rb") as file:
        known = read_po(file)
    catalogue = Catalog(locale=Locale.parse(language), fuzzy=False)
    for text in texts():
        found = known.get(text)
        catalogue.add(text, found.string if found else None)
    return catalogue


def written(catalogue: Catalog) -> tuple[bytes, bytes]:
    """Return the bytes of the .po file and of the .mo file."""
    text, mo = po_text(catalogue), io.BytesIO()
    compiled = read_po(io.BytesIO(text))
    compiled.creation_date = compiled.revision_date = EPOCH
    write_mo(mo, compiled)
    return text, mo.getvalue()


if __name__ == "__main__":
    for path in sorted(LANGUAGES.glob("*/LC_MESSAGES/*.po")):
        catalogue = updated(path)
        text, compiled = written(catalogue)
        path.write_bytes(text)
        path.with_suffix(".mo").write_bytes(compiled)
        empty = [str(one.id) for one in catalogue if one.id and not one.string]
        sys.stdout.write(f"{path.relative_to(ROOT)}: {len(empty)} to translate\n")
