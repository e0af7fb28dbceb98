"""The language of a request: the cookie of the menu, else Accept-Language.

Flask-Babel asks here which locale a request has and takes its texts from our
catalogues; templates get the language, its direction and the menu.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

import flask_babel
from babel import Locale
from babel.support import NullTranslations, Translations
from flask import Flask, current_app, g, has_request_context, request
from werkzeug.exceptions import HTTPException

from .catalogues import SOURCE, Catalogues, locale_of, name_of

EXTENSION = "latchkey-language"

MOST_ACCEPTED = 20
"""Languages of an Accept-Language header that are looked at."""

CARRIED = ("return_to", "scope", "prompt", "login")
"""Fields of a form that its page takes from a query as well."""

_UI_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")


def best(accepted: Iterable[str], offered: tuple[str, ...]) -> str:
    """Return the first accepted language that is offered; English without one.

    Another region of the same language is better than another language: `pt-PT` gets
    `pt-BR` (RFC 4647 section 3.4, lookup).
    """
    by_tag = {tag.lower(): tag for tag in offered}
    by_name = {tag.partition("-")[0].lower(): tag for tag in reversed(offered)}
    for tag in accepted:
        wanted = tag.lower()
        if wanted == "*":
            break
        found = by_tag.get(wanted) or by_name.get(wanted.partition("-")[0])
        if found:
            return found
    return SOURCE


def accepted_languages() -> list[str]:
    """Return the languages of Accept-Language, the most wanted first."""
    wanted = [tag for tag, quality in request.accept_languages if quality > 0]
    return wanted[:MOST_ACCEPTED]


def language() -> str:
    """Return the language of this request, a BCP 47 tag; English outside of one."""
    if not has_request_context():
        return SOURCE
    if "language" not in g:
        g.language = current_app.extensions[EXTENSION]()
    chosen: str = g.language
    return chosen


def texts() -> NullTranslations:
    """Return the texts in the language of this request."""
    found: NullTranslations = flask_babel.get_translations()
    return found


def gettext(text: str, **values: object) -> str:
    """Return a text in the language of this request, with its values filled in."""
    return str(flask_babel.gettext(text, **values))


def ui_locales() -> str:
    """Return `ui_locales` for the authorization request; "" leaves it to the host.

    The reference server takes a language of two or three letters, with or without a
    region. Without an expressed wish the host has to ask the browser itself.
    """
    is_wished = bool(request.accept_languages) or language() != SOURCE
    return language() if is_wished and _UI_LOCALE.fullmatch(language()) else ""


class _OurTexts(flask_babel.Domain):  # type: ignore[misc] # Flask-Babel has no types
    """Flask-Babel's texts, from our catalogues."""

    def __init__(self, catalogues: Callable[[], Catalogues]) -> None:
        super().__init__()
        self._catalogues = catalogues

    def get_translations(self) -> Translations | NullTranslations:
        if not has_request_context():
            return NullTranslations()
        return self._catalogues().texts(language())


def init_app(
    app: Flask, catalogues: Callable[[], Catalogues], choose: Callable[[], str]
) -> None:
    """Give every request a language and its texts, every template the menu.

    `catalogues` and `choose` are called within a request: `choose` returns one of the
    languages of the catalogues.
    """
    babel = flask_babel.Babel(app, locale_selector=_locale)
    babel.domain_instance = _OurTexts(catalogues)
    app.extensions[EXTENSION] = choose

    def page_language() -> dict[str, Any]:
        offered = catalogues().languages
        return {
            "tag": language(),
            "direction": locale_of(language()).text_direction,
            "offered": [{"tag": tag, "name": name_of(tag)} for tag in offered],
            "page": _address(),
        }

    app.jinja_env.globals["page_language"] = page_language


def _locale() -> Locale:
    return locale_of(language())


def _address() -> str:
    """Return the path of this page, to which the menu leads back."""
    query = request.query_string.decode("ascii", "replace")
    if request.method == "POST":
        query = _carried()
    return f"{request.path}?{query}" if query else request.path


def _carried() -> str:
    """Return the query of a page that answers a form; "" when that is too long."""
    try:
        given = {name: request.form.get(name) for name in CARRIED}
    except HTTPException:
        return ""
    return urlencode({name: value for name, value in given.items() if value})
