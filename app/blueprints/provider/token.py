"""POST /oauth/token: a client exchanges a code or a refresh token."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from app.web.context import flows
from app.web.programs import caller, share_with_all
from app.web.requests import found_or
from app.web.security.access import access

bp = Blueprint("token", __name__)
share_with_all(bp, "/oauth/token", methods="POST")


@bp.post("/oauth/token", provide_automatic_options=False)
@access("client")
def exchange() -> Response:
    """Answer with an access token, an id_token and a refresh token."""
    tokens = found_or(lambda: flows().tokens.exchange(caller()))
    response = jsonify(tokens)
    response.headers["Pragma"] = "no-cache"  # OpenID Connect Core section 3.1.3.3
    return response
