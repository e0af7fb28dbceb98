"""GET, POST and DELETE /auth/session: introspect a platform token, renew or end it."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from app.flows.errors import NotSignedIn
from app.flows.limits.networks import network_of
from app.flows.ports import Session, User
from app.flows.sessions.session import Identified
from app.tokens.issuer import IssuedToken
from app.tokens.verifier import VerifiedClaims
from app.web import cookies
from app.web.context import flows
from app.web.requests import bearer_token, found_or
from app.web.security.access import access
from app.web.security.sharing import share

bp = Blueprint("session", __name__)
share(bp, "/auth/session")


@bp.get("/auth/session", provide_automatic_options=False)
@access("token")
def show() -> Response:
    """Answer for the Bearer token, else for the cookie."""
    return jsonify(described(found_or(_identified)))


def _identified() -> Identified:
    bearer = bearer_token()
    return flows().identify.first_of([bearer] if bearer else cookies.platform_tokens())


@bp.post("/auth/session", provide_automatic_options=False)
@access("call")
def renew() -> Response:
    """Set a fresh token for a page of the platform, and answer who it is.

    The cookie of the session decides, as at the sign-in page; a Bearer token has none.

    Raises:
        NotSignedIn: no live session, or its person has no account yet.
    """
    signed_in = flows().renew(cookies.session_secret())
    if signed_in is None or signed_in.user is None or signed_in.issued is None:
        raise NotSignedIn("no session of this browser")
    issued = signed_in.issued
    response = jsonify(_described(signed_in.user, signed_in.session, issued))
    cookies.set_platform_token(response, issued.text)
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


def described(identified: Identified) -> dict[str, str | int | None]:
    """Return what services read about a token and its session."""
    return _described(identified.claims, identified.session, identified.claims)


def _described(
    person: VerifiedClaims | User,
    session: Session,
    token: VerifiedClaims | IssuedToken,
) -> dict[str, str | int | None]:
    return {
        "did": person.did,
        "handle": person.handle,
        "username": person.username,
        "session_id": session.sid,
        "scope": session.scope,
        "issued_at": token.issued_at,
        "expires_at": token.expires_at,
        "session_expires_at": int(session.expires_at),
    }
