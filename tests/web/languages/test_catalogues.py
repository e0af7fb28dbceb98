"""The catalogues: complete, with the placeholders of the original; the operator's."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from app.failures import messages
from app.failures.texts import MESSAGES, UNKNOWN
from app.flows.people.trail import AuditEvent
from app.web.languages.catalogues import (
    CatalogueInvalid,
    Catalogues,
    check_placeholders,
    locale_of,
    name_of,
)
from app.web.pages.event_text import ENDS, EVENTS, event_in_words
from app.web.pages.permission_text import in_words
from app.web.pages.translations import FOLDER, template, updated, written
from tests.pages.preview import create_preview
from tests.pages.samples import everything
from tests.web.languages.pseudo import (
    CLOSE,
    OPEN,
    Bracketed,
    PseudoCatalogues,
    outside_brackets,
)

LANGUAGES = ["de", "es", "fr", "ja", "pt-BR"]
ALL = [path.stem for path in sorted(FOLDER.glob("*.po"))]


@pytest.fixture(scope="module")
def texts():
    return template()


@pytest.fixture(scope="module")
def pseudo():
    return create_preview(PseudoCatalogues((FOLDER,)))


# --- what ships ------------------------------------------------------------------


def test_languages_that_ship_are_the_promised_ones():
    assert sorted(ALL) == sorted(LANGUAGES)


@pytest.mark.parametrize("language", ALL)
def test_catalogue_has_every_text_translated_and_none_that_no_page_has(texts, language):
    path = FOLDER / f"{language}.po"
    with path.open("rb") as file:
        found = read_po(file)

    assert not found.obsolete
    assert {m.id for m in found if m.id} == {m.id for m in texts if m.id}
    for message in found:
        forms = [message.string] if isinstance(message.string, str) else message.string
        assert all(forms), message.id
        assert not message.fuzzy or not message.id, message.id
    assert path.read_bytes() == written(updated(path, texts)), "make translations"


@pytest.mark.parametrize("language", ALL)
def test_translation_has_exactly_the_placeholders_and_tags_of_the_original(language):
    path = FOLDER / f"{language}.po"
    with path.open("rb") as file:
        found = read_po(file)

    for message in found:
        if not message.id:
            continue
        check_placeholders(message, path)
        if isinstance(message.id, str):
            assert marks(message.id) == marks(message.string), message.id


def marks(text: str) -> set[str]:
    """Return the placeholders and tags of a text, in no order."""
    pieces = text.replace(">", ">\0").replace("<", "\0<").replace("%(", "\0%(")
    pieces = pieces.replace(")s", ")s\0").replace("{", "\0{").replace("}", "}\0")
    return {p for p in pieces.split("\0") if p.startswith(("<", "%(", "{"))}


@pytest.mark.parametrize("language", ["en", *ALL])
def test_language_has_a_name_a_direction_and_dates(language):
    assert name_of(language)[0].isupper() or not name_of(language)[0].isascii()
    assert locale_of(language).text_direction in {"ltr", "rtl"}


# --- every text of every page comes from a catalogue ---------------------------------

SHARED = {"Meadow", "Sketch"}


def said(context) -> set[str]:
    """Return every text of a sample's context: names, and what Python has said."""
    if isinstance(context, str):
        return {" ".join(part.split()) for part in [context, *context.split("·")]}
    if isinstance(context, dict):
        return set().union(*map(said, context.values()))
    if isinstance(context, list | tuple):
        return set().union(*map(said, context))
    return set()


@pytest.mark.parametrize("sample", everything(), ids=lambda sample: sample.name)
def test_page_has_no_text_that_no_catalogue_has(pseudo, sample):
    html = pseudo.test_client().get(f"/{sample.name}").text
    known = said(dict(sample.context)) | SHARED

    for text in outside_brackets(html):
        rest = {" ".join(part.strip(" ,;:").split()) for part in text.split("·")}
        assert rest - {""} <= known


def test_text_that_no_catalogue_has_is_found():
    html = f"<p>{OPEN}Sign in{CLOSE} now</p><p title='Not translated'></p>"

    assert outside_brackets(html) == ["now", "Not translated"]


@pytest.mark.parametrize("key", MESSAGES, ids="-".join)
def test_error_is_told_in_the_language_of_the_request(key):
    code, variant = key

    message = messages.message_for(code, variant=variant, texts=Bracketed())

    for text in (message.title, message.text, message.next_step.label):
        assert text.startswith(OPEN)
        assert text.endswith(CLOSE)


@pytest.mark.parametrize("language", ALL)
def test_every_error_can_be_told_in_each_language(language):
    texts = Catalogues((FOLDER,)).texts(language)
    facts = {name: f"<{name}>" for name in UNKNOWN}

    for code, variant in MESSAGES:
        told = messages.message_for(code, variant=variant, texts=texts, **facts)
        assert "{" not in told.title + told.text


def test_permissions_events_and_durations_come_from_the_catalogue(pseudo):
    scope = (
        "atproto transition:generic repo:*?action=create blob:image/* blob:font/ttf "
        "rpc:*?aud=did:web:x.example%23y account:email identity:* include:a.b.c"
    )
    with pseudo.test_request_context():
        phrases = in_words(scope)
        events = [event_in_words(event(name), "Meadow") for name in EVENTS]
        ends = [event_in_words(event("session_ended", reason=r), "") for r in ENDS]
    wait = messages.message_for("too_many_requests", retry_after=61, texts=Bracketed())

    assert len(phrases) == 8
    assert all(text.startswith(OPEN) for text in [*phrases, *events, *ends])
    assert f"{OPEN}2 minutes{CLOSE}" in wait.title


def event(name: str, **detail: object) -> AuditEvent:
    return AuditEvent(
        id="1",
        event=name,
        did="did:plc:x",
        sid=None,
        detail=detail,
        created_at=0.0,
    )


# --- the operator's own ----------------------------------------------------------


def write(folder: Path, language: str, text: str, translation: str) -> Catalogues:
    (folder / f"{language}.po").write_text(
        f'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
        f'msgid "{text}"\nmsgstr "{translation}"\n',
        encoding="utf-8",
    )
    return Catalogues((FOLDER, folder))


@pytest.mark.parametrize("language", ["en", "de"])
def test_operator_replaces_a_single_text(tmp_path, language):
    catalogues = write(tmp_path, language, "Sign in", "Enter")

    assert catalogues.texts(language).gettext("Sign in") == "Enter"
    shipped = Catalogues((FOLDER,)).texts(language).gettext("Try again")
    assert catalogues.texts(language).gettext("Try again") == shipped


def test_operator_adds_a_language(tmp_path):
    catalogues = write(tmp_path, "ar", "Sign in", "تسجيل الدخول")

    assert catalogues.languages == ("en", "ar", *ALL)
    html = create_preview(catalogues, "ar").test_client().get("/login").text
    assert '<html lang="ar" dir="rtl">' in html
    assert ">تسجيل الدخول</button>" in html


@pytest.mark.parametrize(
    ("language", "text", "translation"),
    [
        ("de", "Sign in to %(platform_name)s", "Bei %(platform)s"),
        ("de", "Please wait {wait}", "{time}"),
        ("de", "Reference", "100 % Referenz"),
        ("xx-nowhere", "Sign in", "x"),
    ],
)
def test_catalogue_that_would_break_a_page_is_refused(
    tmp_path, language, text, translation
):
    with pytest.raises(CatalogueInvalid, match=language):
        write(tmp_path, language, text, translation).check()
