"""Answers of several routes: redirects, public JSON documents (ETag), timestamps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from flask import Response, jsonify, redirect, request, url_for
from werkzeug.http import generate_etag, quote_etag

from app.flows.sessions.session import SignedIn

from . import cookies
from .context import site

CACHE: Final = "public, max-age=300"


def redirect_signed_in(signed_in: SignedIn, return_to: str) -> Response:
    """Redirect a signed-in person with a fresh token, or a new person to sign-up."""
    if signed_in.token is None:
        return see_other(url_for("signup.show"))
    response = see_other(return_to or site().landing_url)
    cookies.set_platform_token(response, signed_in.token)
    return response


def see_other(location: str) -> Response:
    """Redirect so that the next request is a GET (RFC 9110 section 15.4.4)."""
    return redirect(location, code=303, Response=Response)  # type: ignore[return-value]


def document(content: Mapping[str, Any]) -> Response:
    """Return a document for all pages, or 304 for one that the caller has."""
    response = jsonify(content)
    response.headers.extend(document_headers(response.get_data()))
    response.make_conditional(request)
    return response


def document_headers(body: bytes) -> tuple[tuple[str, str], ...]:
    """Return the headers with which a document may be kept and read by every page."""
    return (
        ("Cache-Control", CACHE),
        ("Access-Control-Allow-Origin", "*"),
        ("ETag", quote_etag(generate_etag(body))),
    )


def in_utc(seconds: float) -> str:
    """Return epoch seconds as RFC 3339 writes them, such as 2026-11-30T08:00:00Z."""
    moment = datetime.fromtimestamp(int(seconds), UTC)
    return moment.isoformat().replace("+00:00", "Z")
