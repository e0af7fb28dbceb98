"""POST /oauth/par: a client pushes its authorization request (RFC 9126)."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from app.web.context import flows
from app.web.programs import caller, parameters, share_with_all
from app.web.security.access import access

bp = Blueprint("par", __name__)
share_with_all(bp, "/oauth/par", methods="POST")


@bp.post("/oauth/par", provide_automatic_options=False)
@access("client")
def push() -> Response:
    """Keep the request, and return the `request_uri` that stands for it."""
    pushed = flows().provider.push(caller(), parameters())
    response = jsonify(request_uri=pushed.request_uri, expires_in=pushed.expires_in)
    response.status_code = 201
    return response
