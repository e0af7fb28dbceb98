"""The platform token of programs: `Authorization: Bearer` (RFC 6750 §2.1)."""

from __future__ import annotations

from flask import request


def bearer_token() -> str | None:
    """Return the token, empty where the scheme is named without one; else None."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
