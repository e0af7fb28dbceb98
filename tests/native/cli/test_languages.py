"""The catalogues of the command line: complete, compiled, with their placeholders."""

from __future__ import annotations

import importlib
import importlib.util
import io
import re
import sys
from gettext import GNUTranslations, translation
from types import ModuleType

import pytest
from babel.messages.pofile import read_po

from app.native import LoginRefused, ServerUnreachable
from app.native.cli.languages import CATALOGUES, DOMAIN
from tests.wheel import ROOT

LANGUAGES = ["de", "es", "fr", "ja", "pt_BR"]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    path = ROOT / "packages" / "translations.py"
    spec = importlib.util.spec_from_file_location("native_translations", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_languages_that_ship_are_the_promised_ones():
    assert sorted(path.name for path in CATALOGUES.iterdir()) == LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogue_is_complete_and_compiled(tool, language):
    path = CATALOGUES / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    with path.open("rb") as file:
        catalogue = read_po(file)

    for message in catalogue:
        if message.id:
            assert message.string, message.id
            fields = re.findall(r"{\w+}", message.id)
            assert sorted(re.findall(r"{\w+}", message.string)) == sorted(fields)
    text, compiled = tool.written(tool.updated(path))
    assert path.read_bytes() == text, "make translations"
    assert texts(path.with_suffix(".mo").read_bytes()) == texts(compiled)


def texts(compiled: bytes) -> dict[str, str]:
    """Return what a .mo file says, without its header."""
    known = vars(GNUTranslations(io.BytesIO(compiled)))["_catalog"]
    return {text: own for text, own in known.items() if text}


def test_text_is_found_in_the_language_of_the_terminal():
    german = translation(DOMAIN, CATALOGUES, ["de"]).gettext

    assert german("The sign-in was cancelled.") == "Die Anmeldung wurde abgebrochen."
    assert german("no text of ours") == "no text of ours"


@pytest.fixture
def sentences(monkeypatch, request):
    """Return the module of sentences as a terminal in some language has it."""
    monkeypatch.setenv("LANGUAGE", request.param)
    names = ["app.native.cli.languages", "app.native.cli.sentences"]
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module(names[1])
    for name in names:
        del sys.modules[name]


in_german = pytest.mark.parametrize("sentences", ["de"], indirect=True)
in_english = pytest.mark.parametrize("sentences", ["en"], indirect=True)


@in_german
def test_refusal_is_told_by_its_code_and_not_by_the_words_of_the_service(sentences):
    refused = LoginRefused("handle_not_found", "There is no x.example.")

    assert sentences.sentence_of(refused).startswith("Dieses Handle gibt es nicht.")
    assert sentences.sentence_of(LoginRefused("new_code", "Something new.")) == (
        "Der Dienst hat abgelehnt: new_code."
    )


@in_german
def test_reason_of_the_system_follows_a_sentence_in_the_own_language(sentences):
    cut = ServerUnreachable("the service cannot be reached: Connection refused")

    assert sentences.sentence_of(cut) == (
        "Der Dienst ist nicht erreichbar (Connection refused)"
    )
    assert sentences.trouble_of("the service says nothing any more") == (
        "der Dienst sagt nichts mehr"
    )


@in_english
def test_english_terminal_has_the_words_of_the_service(sentences):
    refused = LoginRefused("handle_not_found", "There is no x.example.")

    assert sentences.sentence_of(refused) == "There is no x.example."
