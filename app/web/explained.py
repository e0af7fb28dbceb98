"""`error_description` of a JSON answer: title and text, or words for programmers.

Where a program or a proxy has made the mistake, its developer reads which header,
parameter or setting it is about. These words are English, as the names in them are.
"""

from __future__ import annotations

from typing import Final

from flask import request
from werkzeug.exceptions import NotFound

from app.atproto.errors import printable
from app.failures import Failure
from app.flows.errors import NotSignedIn, RuleInvalid

from .context import site
from .security.access import CrossSite, mark_of

PROGRAMS_ALONE: Final = (
    "Programs alone come here, and send neither Origin nor Sec-Fetch-Site."
)
ADMITTED: Final = (
    "The platform's origins are that of PUBLIC_URL, and https on its host, on hosts of"
    " RETURN_HOSTS, of COOKIE_DOMAIN and below it."
)
BY_TOKEN: Final = frozenset({"token", "call", "program"})
"""Marks of views that ask for a platform token."""


def description_of(failure: Failure) -> str:
    """Return what a program is told of a failure."""
    error, whole = failure.error, failure.message.whole
    if isinstance(error, CrossSite):
        return _cross_site(error)
    if isinstance(error, RuleInvalid):
        return f"The query of /auth/verify cannot be read: {error}."
    if isinstance(error, NotSignedIn) and not failure.told.variant:
        return _not_signed_in() if mark_of(request.endpoint) in BY_TOKEN else whole
    if isinstance(error, NotFound) and error.description != NotFound.description:
        return error.description or whole
    return whole


def _not_signed_in() -> str:
    return (
        f"No session that is live came with the request: neither the cookie"
        f" {site().cookie_name}, which a page sends with credentials: 'include', nor a"
        f" token as Authorization: Bearer."
    )


def _cross_site(error: CrossSite) -> str:
    origin = printable(request.headers.get("Origin")) or "not sent"
    fetched = printable(request.headers.get("Sec-Fetch-Site")) or "not sent"
    helps = PROGRAMS_ALONE if mark_of(request.endpoint) == "program" else ADMITTED
    return f"Refused: {error} (Origin: {origin}; Sec-Fetch-Site: {fetched}). {helps}"
