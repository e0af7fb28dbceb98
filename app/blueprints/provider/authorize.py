"""GET and POST /oauth/authorize: the authorization endpoint (RFC 6749 section 3.1)."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Response, request

from app.flows.provider.authorization.answers import Answer
from app.web import cookies
from app.web.context import flows
from app.web.programs import FORM, parameters_in
from app.web.requests import found_or
from app.web.responses import see_other
from app.web.security.access import access

from .leading import lead

bp = Blueprint("authorize", __name__)


@bp.get("/oauth/authorize")
@access("authorize")
def show() -> Response:
    """Redirect to the app with a code, or to the sign-in or consent page before it."""
    found = found_or(
        lambda: flows().provider.authorize(
            parameters_in(request.query_string),
            cookie=cookies.session_secret(),
            address=request.remote_addr or "",
        )
    )
    return lead(found)


@bp.post("/oauth/authorize")
@access("authorize")
def submit() -> Response:
    """Store the request and redirect to a GET, which browsers send cookies with."""
    kept = flows().provider.authorize.post(
        _of_query_and_body(), address=request.remote_addr or ""
    )
    if isinstance(kept, Answer):
        return lead(kept)
    client_id, request_uri = kept
    query = urlencode({"client_id": client_id, "request_uri": request_uri})
    return see_other(f"/oauth/authorize?{query}")


def _of_query_and_body() -> dict[str, list[str]]:
    """Return the parameters of both; a form has one serialization (Core section 13.2).

    A parameter that is in both is there twice.
    """
    body = request.get_data() if request.mimetype == FORM else b""
    return parameters_in(request.query_string + b"&" + body)
