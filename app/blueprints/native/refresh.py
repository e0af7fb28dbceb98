"""POST /auth/native/refresh: an app renews its token with its refresh token."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from app.web.context import flows
from app.web.requests import BodyInvalid, json_object, text_of
from app.web.security.access import access

bp = Blueprint("native_refresh", __name__)


@bp.post("/auth/native/refresh")
@access("program")
def refresh() -> Response:
    """Answer as a completed login does; a refusal is RFC 6749 section 5.2's."""
    token = text_of(json_object(), "refresh_token")
    if token is None:
        raise BodyInvalid("refresh_token is missing")
    outcome = flows().refresh_app(token, address=request.remote_addr or "")
    return jsonify(outcome.document())
