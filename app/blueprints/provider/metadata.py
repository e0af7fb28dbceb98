"""Discovery documents of the provider (RFC 8414, OpenID Connect Discovery)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, abort

from app.flows.provider.discovery import server_metadata
from app.web.context import Site, site
from app.web.repeated import keep
from app.web.responses import document
from app.web.security.access import access

bp = Blueprint("metadata", __name__)


@bp.get("/.well-known/openid-configuration")
@access("document")
def openid_configuration() -> Response:
    """Serve OpenID Connect Discovery; 404 where PROVIDER is off."""
    here = site()
    if not here.has_provider:
        abort(404)
    keep(lambda: True)
    return document(_of_provider(here))


@bp.get("/.well-known/oauth-authorization-server")
@access("document")
def authorization_server() -> Response:
    """Serve RFC 8414 metadata; with PROVIDER off, that of the platform token."""
    here = site()
    keep(lambda: True)
    if here.has_provider:
        return document(_of_provider(here))
    return document(_without_provider(here.public_url, here.token_algorithm))


def _of_provider(here: Site) -> Mapping[str, Any]:
    return server_metadata(
        here.public_url, terms=here.brand.terms_url, privacy=here.brand.privacy_url
    )


def _without_provider(issuer: str, algorithm: str) -> Mapping[str, Any]:
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/auth/login",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "response_types_supported": ["none"],
        "grant_types_supported": [],
        "token_endpoint_auth_methods_supported": ["none"],
        "id_token_signing_alg_values_supported": [algorithm],
    }
