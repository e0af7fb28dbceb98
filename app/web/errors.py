"""Error handler: show a failure as a page or JSON; `app.failures` names it.

A page has the code and a reference that the log has too; JSON is
`{error, error_description, reference}`. A view may name a function that shows its
failures in its own form, so that what was typed is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, Response, current_app, g, jsonify, make_response, request
from flask import render_template as render
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from app import failures
from app.atproto.errors import printable
from app.failures import INTERNAL, Failure, Row, report
from app.telemetry.context import note_code
from app.telemetry.events import FailureAnswered
from app.web.security.access import CrossSite, Mark, mark_of

from . import programs
from .context import context, site
from .explained import description_of
from .languages.choice import texts
from .requests import BodyInvalid
from .return_to import ReturnToInvalid

__all__ = [
    "OWN",
    "Failure",
    "error_page",
    "init_app",
    "row_for",
    "show_as_page",
    "shows_failure",
]

View = TypeVar("View", bound=Callable[..., Any])

SHOW = "shows_failure"
MORE = "adds_to_failure"

OWN = {
    ReturnToInvalid: Row("invalid_return_to", 400),
    CrossSite: Row("cross_site", 403),
    BodyInvalid: Row("invalid_request", 400, "json"),
}
"""Failures of HTTP alone; all others are in `app.failures`."""

FOR_PROGRAMS: frozenset[Mark] = frozenset(
    {"token", "program", "client", "call", "document", "probe"}
)
"""Marks whose failures are JSON."""

HTTP_CODES = {
    404: Row("not_found", 404),
    405: Row("method_not_allowed", 405),
    413: Row("too_large", 413),
}


def shows_failure(show: Callable[[Failure], Any]) -> Callable[[View], View]:
    """Name the function that shows this view's failures on a page of its own."""

    def decorate(view: View) -> View:
        setattr(view, SHOW, show)
        return view

    return decorate


def adds_to_failure(
    more: Callable[[Failure], dict[str, str]],
) -> Callable[[View], View]:
    """Name the function whose fields join the JSON of this view's failures."""

    def decorate(view: View) -> View:
        setattr(view, MORE, more)
        return view

    return decorate


def row_for(error: Exception) -> Row:
    """Return the row of a failure: our own, or the one that every front end has."""
    if isinstance(error, HTTPException):
        return HTTP_CODES.get(error.code or 500, _http_row(error))
    return OWN.get(type(error)) or failures.row_for(error)


def _http_row(error: HTTPException) -> Row:
    status = error.code or 500
    return Row("invalid_request", 400) if 400 <= status < 500 else INTERNAL


def failure_of(error: Exception) -> Failure:
    """Name a failure that a request met, and write its line in the log."""
    row = row_for(error)
    context().observe(FailureAnswered(error, row.code))
    return report(
        error,
        row,
        during=f"{request.method} {printable(request.path)}",
        platform=site().platform_name,
        example=site().example_handle,
        texts=texts(),
        reason=error.name if isinstance(error, HTTPException) else None,
    )


def handle(error: Exception) -> Response:
    """Answer a request that failed."""
    failure = failure_of(error)
    g.failure_code = failure.message.code
    note_code(failure.message.code)
    mark = _mark_for(error)
    if mark == "client":
        response = programs.failed(failure.status, failure.reference)
    elif _wants_json(mark):
        response = _json(failure)
    else:
        failure, response = _shown(failure)
    if response.status_code < 400 and failure.status >= 400 and not response.location:
        response.status_code = failure.status
    _set_headers(response, failure)
    return response


def _shown(failure: Failure) -> tuple[Failure, Response]:
    """Show a failure as its view wants it; plainly when that fails as well."""
    view = current_app.view_functions.get(request.endpoint or "")
    show = getattr(view, SHOW, error_page)
    try:
        return failure, make_response(show(failure))
    except Exception as error:  # noqa: BLE001 - named, logged and shown like any other
        second = failure_of(error)
        return second, make_response(error_page(second))


def error_page(failure: Failure) -> str:
    """Render a failure that has no form to go back to."""
    return render(
        "error.html", page_title=failure.message.title, error=failure.notice()
    )


def show_as_page() -> None:
    """Have a failure of this request shown as a page, though its view answers JSON."""
    g.shows_page = True


def _mark_for(error: Exception) -> Mark | None:
    """Return the mark of the view; of a wrong method, that of the path's other one."""
    endpoint = request.endpoint
    if isinstance(error, MethodNotAllowed) and endpoint is None:
        adapter = current_app.create_url_adapter(request)
        if adapter is not None and error.valid_methods:
            endpoint, _ = adapter.match(method=min(error.valid_methods))
    return mark_of(endpoint)


def _wants_json(mark: Mark | None) -> bool:
    if g.get("shows_page"):
        return False
    if mark in FOR_PROGRAMS:
        return True
    accepted = request.accept_mimetypes
    return accepted["application/json"] > accepted["text/html"]


def _json(failure: Failure) -> Response:
    view = current_app.view_functions.get(request.endpoint or "")
    more = getattr(view, MORE, None)
    return jsonify(
        error=failure.message.code,
        error_description=description_of(failure),
        reference=failure.reference,
        **(more(failure) if more else {}),
    )


def _set_headers(response: Response, failure: Failure) -> None:
    if failure.retry_after is not None:
        response.headers["Retry-After"] = str(failure.retry_after)
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="platform"'
    # nginx cannot pass on our redirect, and makes one of this header.
    if login_url := getattr(failure.error, "login_url", None):
        response.headers["Location"] = login_url
    if isinstance(failure.error, HTTPException):
        for name, value in failure.error.get_headers():
            if name == "Allow":
                response.headers[name] = value


def init_app(app: Flask) -> None:
    """Handle every exception of the application here."""
    app.register_error_handler(Exception, handle)
