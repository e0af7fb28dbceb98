"""Answers with a public JSON document: cached, with an ETag, readable for all pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flask import Response, jsonify, request
from werkzeug.http import generate_etag, quote_etag

CACHE: Final = "public, max-age=300"


def document(content: Mapping[str, Any]) -> Response:
    """Return the answer, or 304 for one that the caller has."""
    response = jsonify(content)
    response.headers.extend(headers_of(response.get_data()))
    response.make_conditional(request)
    return response


def headers_of(body: bytes) -> tuple[tuple[str, str], ...]:
    """Return the headers with which a document may be kept and read by every page."""
    return (
        ("Cache-Control", CACHE),
        ("Access-Control-Allow-Origin", "*"),
        ("ETag", quote_etag(generate_etag(body))),
    )
