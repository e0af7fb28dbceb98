"""Form parameters of OAuth clients, and their errors in JSON (RFC 6749 section 5.2)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Final

from flask import Response, jsonify, request

from app.flows.provider.tokens.client_authentication import ProgramRefused

FORM: Final = "application/x-www-form-urlencoded"

Answers = Callable[[], Response]


def parameters() -> dict[str, list[str]]:
    """Return the parameters of the body, each with all of its values.

    Raises:
        ProgramRefused: there are some in the URL, or the body is no form.
    """
    if request.query_string:
        raise ProgramRefused("invalid_request", "parameters belong in the body")
    if request.mimetype != FORM:
        raise ProgramRefused("invalid_request", f"the body is not {FORM}")
    return request.form.to_dict(flat=False)


def answers_clients(view: Answers) -> Answers:
    """Answer what the view raises as JSON, and let any page read it without cookies."""

    @wraps(view)
    def answered() -> Response:
        try:
            response = view()
        except ProgramRefused as refused:
            response = _refused(refused)
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    return answered


def _refused(refused: ProgramRefused) -> Response:
    response = jsonify(error=refused.code, error_description=refused.description)
    response.status_code = 401 if refused.code == "invalid_client" else 400
    if refused.by_basic:
        response.headers["WWW-Authenticate"] = 'Basic realm="oauth"'
    return response
