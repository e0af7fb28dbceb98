"""GET /auth/revocations: the sessions that ended, for services that verify offline."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.web.context import flows
from app.web.security.access import access

bp = Blueprint("revocations", __name__)

CACHE = "public, max-age=10"


@bp.get("/auth/revocations")
@access("document")
def revocations() -> Response:
    """Serve the feed as a JWT; `?since=` gives what is new after an earlier answer."""
    feed = flows().list_revocations(request.args.get("since", ""))
    response = Response(feed.jwt, mimetype="application/jwt")
    response.headers["Cache-Control"] = CACHE
    response.set_etag(feed.etag)
    response.make_conditional(request)
    return response
