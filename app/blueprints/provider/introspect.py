"""POST /oauth/introspect: a client asks about one of its own tokens (RFC 7662)."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from app.web.context import flows
from app.web.programs import caller
from app.web.requests import found_or
from app.web.security.access import access

bp = Blueprint("introspect", __name__)


@bp.post("/oauth/introspect", provide_automatic_options=False)
@access("client")
def introspect() -> Response:
    """Answer whether the token is active, and for whom."""
    return jsonify(found_or(lambda: flows().tokens.introspect(caller())))
