"""POST /oauth/revoke: a client gives a token back (RFC 7009)."""

from __future__ import annotations

from flask import Blueprint, Response

from app.web.context import flows
from app.web.programs import caller, share_with_all
from app.web.security.access import access

bp = Blueprint("revoke", __name__)
share_with_all(bp, "/oauth/revoke", methods="POST")


@bp.post("/oauth/revoke", provide_automatic_options=False)
@access("client")
def revoke() -> Response:
    """Answer 200, also for a token that is unknown or of another client."""
    flows().tokens.revoke(caller())
    return Response(status=200)
