"""POST /oauth/par: a client pushes its authorization request (RFC 9126)."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from app.web.context import flows
from app.web.security.access import access

from .clients_json import answers_clients, parameters

bp = Blueprint("par", __name__)


@bp.post("/oauth/par")
@answers_clients
@access("client")
def push() -> Response:
    """Keep the request, and return the `request_uri` that stands for it."""
    pushed = flows().provider.push(
        request.headers.get("Authorization"),
        parameters(),
        address=request.remote_addr or "",
    )
    response = jsonify(request_uri=pushed.request_uri, expires_in=pushed.expires_in)
    response.status_code = 201
    return response
