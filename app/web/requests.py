"""What programs send: one JSON object.

Only `application/json` is read. A page of another site cannot send it without asking
first (Fetch §4.8), and we answer no such question.
"""

from __future__ import annotations

from typing import Any

from flask import request


class BodyInvalid(Exception):
    """Not a JSON object, not sent as one, or with something else than text in it."""


def json_object() -> dict[str, Any]:
    """Return the object that was sent. Raises `BodyInvalid`."""
    body = request.get_json(silent=True) if request.is_json else None
    if not isinstance(body, dict):
        raise BodyInvalid("not a JSON object, or not sent as one")
    return body


def text_of(body: dict[str, Any], name: str) -> str | None:
    """Return a member of it, None when it is missing. Raises `BodyInvalid`."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise BodyInvalid(f"{name} is not text")
    return value
