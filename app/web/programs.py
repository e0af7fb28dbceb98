"""Requests of OAuth clients: form bodies, CORS for every origin, errors in JSON.

Views with the mark `client` use this: token, PAR, revocation, introspection, userinfo.
"""

from __future__ import annotations

import logging
from typing import Final
from urllib.parse import parse_qsl

from flask import Blueprint, Flask, Request, Response, abort, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import MethodNotAllowed

from app.flows.limits.networks import network_of
from app.flows.provider.tokens.client_authentication import Caller
from app.flows.provider.tokens.requests import Form, ProgramRefused, TokenErrorCode
from app.telemetry.context import note_code

from .context import site
from .security.access import access

log = logging.getLogger(__name__)

FORM: Final = "application/x-www-form-urlencoded"

STATUSES: Final[dict[str, int]] = {
    "invalid_client": 401,
    "temporarily_unavailable": 503,
    "server_error": 500,
}
"""All others are 400 (RFC 6749 section 5.2)."""

CHALLENGE: Final = 'Basic realm="platform"'

PREFLIGHT_LIFETIME: Final = 600

READABLE: Final = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After"),
)
"""Headers of every answer that pages of all origins may read."""


def parameters_in(encoded: bytes) -> dict[str, list[str]]:
    """Return the parameters of a query or form body, each with all of its values.

    Bytes that are no UTF-8 become surrogates, as `Parameters` has them. werkzeug's own
    parser writes `%FF` for them, which is also what a client that sent `%25FF` meant.
    """
    text = encoded.decode("utf-8", "surrogateescape")
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(
        text, keep_blank_values=True, errors="surrogateescape"
    ):
        found.setdefault(name, []).append(value)
    return found


def parameters(asked: Request | None = None) -> dict[str, list[str]]:
    """Return the parameters of the body, each with all of its values.

    `asked` is the request, by default the one that Flask serves.

    Raises:
        ProgramRefused: there are some in the URL, or the body is no form.
    """
    asked = asked or request
    if asked.query_string:
        raise ProgramRefused("invalid_request", "parameters belong in the body")
    if asked.mimetype != FORM:
        raise ProgramRefused("invalid_request", f"the body is not {FORM}")
    return parameters_in(asked.get_data())


def caller(asked: Request | None = None) -> Caller:
    """Return how the client of a request authenticates. Raises `ProgramRefused`."""
    asked = asked or request
    return Caller(
        form=Form.read(parameters(asked)),
        authorization=asked.headers.get("Authorization"),
        network=network_of(asked.remote_addr or ""),
    )


def share_with_all(bp: Blueprint, rule: str, *, methods: str) -> None:
    """Let pages of every origin ask, without cookies (CORS)."""

    @access("client")
    def preflight() -> Response:
        response = Response(status=204)
        response.headers["Access-Control-Allow-Methods"] = methods
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
        response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_LIFETIME)
        return response

    bp.add_url_rule(
        rule,
        endpoint="preflight",
        view_func=preflight,
        methods=["OPTIONS"],
        provide_automatic_options=False,
    )
    bp.after_request(_readable)


def _readable(response: Response) -> Response:
    for name, value in READABLE:
        response.headers[name] = value
    return response


def refused(error: ProgramRefused) -> Response:
    """Answer with the error in JSON (RFC 6749 section 5.2)."""
    log.info("client refused: %s", error)
    note_code(error.code)
    response = jsonify(error=error.code, error_description=error.description)
    response.status_code = STATUSES.get(error.code, 400)
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = CHALLENGE
    if response.status_code == 503:
        response.headers["Retry-After"] = "5"
    return response


def failed(status: int, reference: str) -> Response:
    """Answer with any other failure, in the same form."""
    codes: dict[int, tuple[TokenErrorCode, str]] = {
        429: ("temporarily_unavailable", "too many requests of this address"),
        503: ("temporarily_unavailable", "try again in a moment"),
        405: ("invalid_request", "this endpoint takes another method"),
        413: ("invalid_request", "the body is too large"),
    }
    code, text = codes.get(status, ("invalid_request", "the request is malformed"))
    if status >= 500 and status not in codes:
        code, text = "server_error", "a fault of this server"
    response = jsonify(error=code, error_description=text, reference=reference)
    response.status_code = status
    return _readable(response) if _is_shared_elsewise() else response


def _is_shared_elsewise() -> bool:
    """Tell whether the path is shared, and the request has a method that it lacks.

    Such a request has no view, and so no blueprint whose answers `_readable` gets. Of
    the routes of clients, those alone that are shared take OPTIONS.
    """
    wrong = request.routing_exception
    return isinstance(wrong, MethodNotAllowed) and "OPTIONS" in (
        wrong.valid_methods or ()
    )


def _require_provider() -> ResponseReturnValue | None:
    """Answer 404 below /oauth/ where PROVIDER is off."""
    if request.path.startswith("/oauth/") and not site().has_provider:
        abort(404)
    return None


def init_app(app: Flask) -> None:
    """Answer refusals of OAuth clients, and nothing where PROVIDER is off."""
    app.register_error_handler(ProgramRefused, refused)
    app.before_request(_require_provider)
