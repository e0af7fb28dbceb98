"""Documents for machines: our client metadata, and the platform's JWKS.

Public, the same for everybody, and served from memory: authorization servers fetch the
metadata during our own requests, with our database up or down (requirements 3.4, 3.12).
"""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.web.context import context
from app.web.responses import document
from app.web.security.access import access

bp = Blueprint("well_known", __name__)


@bp.get("/oauth-client-metadata.json")
@bp.get("/auth/client-metadata.json")
@access("document")
def client_metadata() -> Response:
    """Serve the client metadata whose client_id is this very URL (requirement 3.1)."""
    return document(context().documents.client_metadata(request.path))


@bp.get("/.well-known/jwks.json")
@access("document")
def jwks() -> Response:
    """Serve the platform's public keys (RFC 7517); never the client's."""
    return document(context().documents.platform_keys().jwks())
