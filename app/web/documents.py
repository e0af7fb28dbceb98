"""Answers with a public JSON document: cached, with an ETag, readable for all pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flask import Response, jsonify, request

CACHE: Final = "public, max-age=300"


def document(content: Mapping[str, Any]) -> Response:
    """Return the answer, or 304 for one that the caller has."""
    response = jsonify(content)
    response.headers["Cache-Control"] = CACHE
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.add_etag()
    response.make_conditional(request)
    return response
