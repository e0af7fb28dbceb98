"""Documents for machines: client metadata, JWKS, and our own server metadata.

Public, the same for everybody, and served from memory: authorization servers fetch the
metadata during our own requests, with our database up or down (requirements 3.4, 3.12).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, request

from app.web.context import context, site
from app.web.repeated import keep
from app.web.security.access import access

bp = Blueprint("well_known", __name__)

CACHE = "public, max-age=300"


@bp.get("/oauth-client-metadata.json")
@bp.get("/auth/client-metadata.json")
@access("document")
def client_metadata() -> Response:
    """Serve the client metadata whose client_id is this very URL (requirement 3.1)."""
    return _document(context().documents.client_metadata(request.path))


@bp.get("/.well-known/jwks.json")
@access("document")
def jwks() -> Response:
    """Serve the platform's public keys (RFC 7517); never the client's."""
    keys = context().documents.platform_keys
    ring = keys()
    keep(lambda: keys() is ring)
    return _document(ring.jwks())


@bp.get("/.well-known/oauth-authorization-server")
@access("document")
def server_metadata() -> Response:
    """Serve RFC 8414 metadata: who issues the platform token, and with which keys.

    Nothing else of OAuth is offered here, and the document claims nothing else.
    """
    here = site()
    return _document(
        {
            "issuer": here.public_url,
            "authorization_endpoint": f"{here.public_url}/auth/login",
            "jwks_uri": f"{here.public_url}/.well-known/jwks.json",
            "response_types_supported": ["none"],
            "grant_types_supported": [],
            "token_endpoint_auth_methods_supported": ["none"],
            "id_token_signing_alg_values_supported": [here.token_algorithm],
        }
    )


def _document(content: Mapping[str, Any]) -> Response:
    response = jsonify(content)
    response.headers["Cache-Control"] = CACHE
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.add_etag()
    response.make_conditional(request)
    return response
