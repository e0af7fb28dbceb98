"""One table from what failed to code and status, and how a failure is shown.

A page carries its code and a reference that the log has too; whoever prefers JSON gets
`{error, error_description, reference}`. A view may name a function that shows its
failures in its own form, so that nothing typed is lost.
"""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, jsonify, make_response, request
from flask import render_template as render
from werkzeug.exceptions import HTTPException

from app.atproto import errors as atproto
from app.flows import errors as flow
from app.flows.destination import Destination
from app.tokens import errors as token

from .access import CrossSite, mark_of
from .context import site
from .messages import Message, message_for
from .redirects import ReturnToInvalid

log = logging.getLogger(__name__)

View = TypeVar("View", bound=Callable[..., Any])

SHOW = "shows_failure"


@dataclass(frozen=True, slots=True)
class Row:
    """What a failure is called outside, and which of its texts is meant."""

    code: str
    status: int
    variant: str = ""


TABLE: dict[type[Exception], Row] = {
    atproto.IdentifierInvalid: Row("invalid_identifier", 400),
    atproto.DidMethodUnsupported: Row("invalid_identifier", 400, "did_method"),
    atproto.HandleNotFound: Row("handle_not_found", 400),
    atproto.AccountNotFound: Row("account_not_found", 400),
    atproto.HandleMismatch: Row("handle_mismatch", 400),
    atproto.HostUnreachable: Row("host_unreachable", 504),
    atproto.HostUnknown: Row("host_unreachable", 504, "unknown"),
    atproto.HostFailing: Row("host_unreachable", 502, "failing"),
    atproto.HostResting: Row("host_unreachable", 504, "resting"),
    atproto.HostWithoutOAuth: Row("host_without_oauth", 400),
    atproto.ServerInvalid: Row("server_invalid", 502),
    atproto.UnsafeURL: Row("server_invalid", 502),
    atproto.DocumentInvalid: Row("server_invalid", 502),
    atproto.ResponseTooLarge: Row("server_invalid", 502),
    atproto.ClientRefused: Row("server_invalid", 502, "client_refused"),
    atproto.CallbackMalformed: Row("invalid_request", 400),
    atproto.StateUnknown: Row("login_expired", 400),
    atproto.BrowserMismatch: Row("wrong_browser", 403),
    atproto.IssuerMismatch: Row("issuer_mismatch", 403),
    atproto.SubjectMismatch: Row("account_mismatch", 403),
    atproto.AccessDenied: Row("access_denied", 400),
    atproto.AuthorizationFailed: Row("server_invalid", 502, "unfinished"),
    atproto.CodeRejected: Row("login_expired", 400),
    atproto.KeyUnavailable: Row("login_expired", 400),
    atproto.SessionEnded: Row("not_signed_in", 401),
    atproto.RefreshRejected: Row("not_signed_in", 401),
    atproto.RefreshBusy: Row("host_unreachable", 504),
    atproto.ScopeMissing: Row("server_invalid", 502),
    atproto.AccountUnavailable: Row("server_invalid", 502),
    atproto.ScopeInvalid: Row("internal", 500),
    atproto.ClientMetadataInvalid: Row("internal", 500),
    flow.UsernameInvalid: Row("username_invalid", 400),
    flow.UsernameReserved: Row("username_reserved", 400),
    flow.UsernameTaken: Row("username_taken", 400),
    flow.TooManyRequests: Row("too_many_requests", 429),
    flow.PromptRefused: Row("invalid_request", 400),
    flow.NotSignedIn: Row("not_signed_in", 401),
    flow.AccountDisabled: Row("account_disabled", 403),
    flow.SignupFinished: Row("invalid_request", 400),
    flow.SigningKeyRefused: Row("internal", 500),
    flow.StorageFailed: Row("internal", 500),
    token.TokenInvalid: Row("not_signed_in", 401),
    token.TokenExpired: Row("not_signed_in", 401),
    token.SigningKeyMissing: Row("internal", 500),
    ReturnToInvalid: Row("invalid_return_to", 400),
    CrossSite: Row("cross_site", 403),
}

HTTP_CODES = {
    404: Row("not_found", 404),
    405: Row("method_not_allowed", 405),
    413: Row("too_large", 413),
}

INTERNAL = Row("internal", 500)

# What a server told us about its own trouble, where our words should differ.
AUTHORIZATION_ERRORS = {
    "server_error": Row("host_unreachable", 502, "failing"),
    "temporarily_unavailable": Row("host_unreachable", 502, "failing"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failure as it is shown: its words, its status, and its line in the log."""

    error: Exception
    message: Message
    status: int
    reference: str

    def notice(self) -> dict[str, Any]:
        """Return what the templates call `notice` and `error`."""
        return {
            "code": self.message.code,
            "title": self.message.title,
            "text": self.message.text,
            "tone": self.message.tone,
            "next_step": self.message.next_step,
            "reference": self.reference,
        }


def shows_failure(show: Callable[[Failure], Any]) -> Callable[[View], View]:
    """Name the function that shows this view's failures on a page of its own."""

    def wear(view: View) -> View:
        setattr(view, SHOW, show)
        return view

    return wear


def row_for(error: Exception) -> Row:
    """Return the row of a failure: its own, or that of the class it refines."""
    if isinstance(error, HTTPException):
        return HTTP_CODES.get(error.code or 500, _http_row(error))
    if isinstance(error, atproto.AuthorizationFailed):
        return _authorization_row(error)
    if isinstance(error, atproto.IdentifierInvalid) and error.suggestion:
        return Row("invalid_identifier", 400, "email")
    if isinstance(error, flow.TooManyRequests) and error.kind != "address":
        return Row("too_many_requests", 429, error.kind)
    for kind in type(error).__mro__:
        if kind in TABLE:
            return TABLE[kind]
    return INTERNAL


def _http_row(error: HTTPException) -> Row:
    status = error.code or 500
    return Row("invalid_request", 400) if 400 <= status < 500 else INTERNAL


def _authorization_row(error: atproto.AuthorizationFailed) -> Row:
    # The reference server's word for windows that lose its cookies (9.21).
    if "ERR_COOKIES_UNSUPPORTED" in error.description:
        return Row("wrong_browser", 403, "host_cookies")
    plain = TABLE[atproto.AuthorizationFailed]
    return AUTHORIZATION_ERRORS.get(error.code, plain)


def failure_of(error: Exception) -> Failure:
    """Name a failure, give it a reference and write its line in the log."""
    row = row_for(error)
    reference = secrets.token_hex(4)
    _log(error, row, reference)
    message = message_for(
        row.code,
        variant=row.variant,
        retry_after=getattr(error, "retry_after", None),
        return_to=_aim(error).return_to,
        platform=site().platform_name,
        **_facts(error),
    )
    return Failure(error=error, message=message, status=row.status, reference=reference)


def _aim(error: Exception) -> Destination:
    """Return what a login that failed was for, as far as it was recognised."""
    packed = error.app_state if isinstance(error, atproto.AtprotoError) else None
    return Destination.unpack(packed) if packed else Destination(return_to="")


def _facts(error: Exception) -> dict[str, str | None]:
    """Return what is known: whom the login was asked of, then the failure's own."""
    issuer = error.issuer if isinstance(error, atproto.AtprotoError) else None
    facts: dict[str, str | None] = {
        "host": urlsplit(issuer or "").hostname,
        "handle": _aim(error).identifier,
    }
    for name in ("host", "handle", "did", "suggestion", "method", "username"):
        value = getattr(error, name, None)
        if isinstance(value, str):
            facts[name] = value
    return facts


def _log(error: Exception, row: Row, reference: str) -> None:
    """Write one line: never a query string, a cookie or a form (requirement 9.22)."""
    line = "%s %s: %s (%s): %s"
    path = atproto.printable(request.path)
    reason = error.name if isinstance(error, HTTPException) else error
    values = (request.method, path, row.code, reference, reason)
    if row.code == "internal":
        log.error(line, *values, exc_info=error)
    elif isinstance(error, atproto.ClientRefused):
        # Alert: our metadata, our keys or our clock may be at fault (10.3).
        log.error(line, *values)
    else:
        log.info(line, *values)


def handle(error: Exception) -> Response:
    """Answer a request that failed."""
    failure = failure_of(error)
    if _wants_json():
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


def _wants_json() -> bool:
    if mark_of(request.endpoint) in {"api", "document", "probe"}:
        return True
    accepted = request.accept_mimetypes
    return accepted["application/json"] > accepted["text/html"]


def _json(failure: Failure) -> Response:
    return jsonify(
        error=failure.message.code,
        error_description=failure.message.text,
        reference=failure.reference,
    )


def _set_headers(response: Response, failure: Failure) -> None:
    retry_after = getattr(failure.error, "retry_after", None)
    if retry_after is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
    if failure.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="platform"'
    if isinstance(failure.error, HTTPException):
        for name, value in failure.error.get_headers():
            if name == "Allow":
                response.headers[name] = value


def init_app(app: Flask) -> None:
    """Send every failure here, the unforeseen ones too."""
    app.register_error_handler(Exception, handle)
