"""The operator's logo and accent, and security.txt (RFC 9116).

An SVG can hold scripts, which run when it is opened as a page of our origin. The policy
of its response forbids every script and load, and puts it into a sandbox of no origin.
"""

from __future__ import annotations

from flask import Blueprint, Response, abort

from app.web.context import site
from app.web.responses import in_utc
from app.web.security.access import access

bp = Blueprint("brand", __name__)

CACHE = "public, max-age=31536000, immutable"
"""The addresses of both files change with their content."""

LOGO_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

EXPIRY = 90 * 24 * 3600
"""Seconds for which security.txt is declared to be valid; a copy gets old."""


@bp.get("/auth/brand/logo")
@access("document")
def logo() -> Response:
    """Serve the logo, for our pages and for consent pages of hosts."""
    picture = site().brand.logo
    if picture is None:
        abort(404)
    response = Response(picture.content, content_type=picture.media_type)
    response.headers["Cache-Control"] = CACHE
    response.headers["Content-Security-Policy"] = LOGO_POLICY
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


@bp.get("/auth/brand/accent.css")
@access("document")
def accent() -> Response:
    """Serve the colours that follow from ACCENT."""
    style = site().brand.style
    if style is None:
        abort(404)
    response = Response(style.content, content_type="text/css; charset=utf-8")
    response.headers["Cache-Control"] = CACHE
    return response


@bp.get("/.well-known/security.txt")
@access("document")
def security_txt() -> Response:
    """Serve where vulnerabilities are reported, when the operator says so."""
    here = site()
    if here.brand.security_contact is None:
        abort(404)
    lines = (
        f"Contact: {here.brand.security_contact}",
        f"Expires: {in_utc(here.clock() + EXPIRY)}",
        f"Preferred-Languages: {', '.join(here.catalogues.languages)}",
        f"Canonical: {here.public_url}/.well-known/security.txt",
    )
    text = "".join(f"{line}\n" for line in lines)
    return Response(text, content_type="text/plain; charset=utf-8")
