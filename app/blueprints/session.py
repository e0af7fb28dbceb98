"""GET /auth/session: whom a platform token names."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from . import cookies
from .access import access
from .bearer import bearer_token
from .context import flows

bp = Blueprint("session", __name__)


@bp.get("/auth/session")
@access("api")
def show() -> Response:
    """Answer for the Bearer token, else for the cookie."""
    identified = flows().identify.identify(bearer_token() or cookies.platform_token())
    claims, session = identified.claims, identified.session
    return jsonify(
        did=claims.did,
        handle=claims.handle,
        username=claims.username,
        session_id=claims.sid,
        scope=session.scope,
        issued_at=claims.issued_at,
        expires_at=claims.expires_at,
        session_expires_at=int(session.expires_at),
    )
