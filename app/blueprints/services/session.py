"""GET, POST and DELETE /auth/session: introspect a platform token, renew or end it."""

from __future__ import annotations

from collections.abc import Collection

from flask import Blueprint, Response, jsonify, request

from app.flows.errors import NotSignedIn
from app.flows.limits.networks import network_of
from app.web import cookies
from app.web.context import flows
from app.web.requests import bearer_token
from app.web.security.access import access
from app.web.security.sharing import share

bp = Blueprint("session", __name__)
share(bp, "/auth/session")


@bp.get("/auth/session", provide_automatic_options=False)
@access("token")
def show() -> Response:
    """Answer for the Bearer token, else for the cookie."""
    bearer = bearer_token()
    return _described([bearer] if bearer else cookies.platform_tokens())


@bp.post("/auth/session", provide_automatic_options=False)
@access("call")
def renew() -> Response:
    """Set a fresh token for a page of the platform, and answer who it is.

    The cookie of the session decides, as at the sign-in page; a Bearer token has none.

    Raises:
        NotSignedIn: no live session, or its person has no account yet.
    """
    signed_in = flows().renew(cookies.session_secret())
    if signed_in is None or signed_in.token is None:
        raise NotSignedIn("no session of this browser")
    response = _described([signed_in.token])
    cookies.set_platform_token(response, signed_in.token)
    return response


@bp.delete("/auth/session", provide_automatic_options=False)
@access("token")
def end() -> Response:
    """End the session of the Bearer token, never that of a cookie.

    Browsers add cookies to requests of other sites' pages too; a browser signs out at
    /auth/logout.
    """
    network = network_of(request.remote_addr or "")
    flows().logout_by_token(bearer_token(), network=network)
    return Response(status=204)


def _described(tokens: Collection[str]) -> Response:
    identified = flows().identify.first_of(tokens)
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
