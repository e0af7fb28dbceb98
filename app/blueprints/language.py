"""POST /auth/language: remember the language that was chosen in the menu of a page."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.web import cookies
from app.web.context import site
from app.web.responses import see_other
from app.web.return_to import ReturnToInvalid
from app.web.security.access import access

bp = Blueprint("language", __name__)


@bp.post("/auth/language")
@access("form")
def choose() -> Response:
    """Keep the language in a cookie, and lead back to the page with the menu.

    A language that is not offered deletes the cookie: Accept-Language decides again.
    """
    response = see_other(_page())
    language = request.form.get("language", "")
    if language in site().catalogues.languages:
        cookies.LANGUAGE.set(response, language)
    else:
        cookies.LANGUAGE.end(response)
    return response


def _page() -> str:
    """Return the page that the menu was on; a path of ours, or the first page."""
    try:
        page = site().returns.parse(request.form.get("page"))
    except ReturnToInvalid:
        page = ""
    return page if page.startswith("/") else "/"
