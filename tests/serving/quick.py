"""The application with a heartbeat of 0.2 seconds."""

from __future__ import annotations

from app.blueprints.native import login

login.HEARTBEAT = 0.2  # type: ignore[misc]

from wsgi import app  # noqa: E402

__all__ = ["app"]
