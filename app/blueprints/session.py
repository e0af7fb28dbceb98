"""GET and DELETE /auth/session: introspect a platform token, or end its session."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from app.flows.limits.networks import network_of
from app.web import cookies
from app.web.context import flows
from app.web.requests import bearer_token
from app.web.security.access import access

bp = Blueprint("session", __name__)


@bp.get("/auth/session")
@access("token")
def show() -> Response:
    """Answer for the Bearer token, else for the cookie."""
    identified = flows().identify.first_of(
        [bearer] if (bearer := bearer_token()) else cookies.platform_tokens()
    )
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


@bp.delete("/auth/session")
@access("token")
def end() -> Response:
    """End the session of the Bearer token, never that of a cookie.

    Browsers add cookies to requests of other sites' pages too; a browser signs out at
    /auth/logout.
    """
    network = network_of(request.remote_addr or "")
    flows().logout_by_token(bearer_token(), network=network)
    return Response(status=204)
