"""The platform token of programs: `Authorization: Bearer` (RFC 6750 §2.1)."""

from __future__ import annotations

from flask import request


def bearer_token() -> str | None:
    """Return the token, empty where the scheme is named without one; else None."""
    given = request.authorization
    if given is None or given.type != "bearer":
        return None
    return given.token or ""
