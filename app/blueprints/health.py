"""GET /healthz and /readyz: whether the process lives, and whether it can serve."""

from __future__ import annotations

import logging

from flask import Blueprint, Flask, Response, jsonify

from app.web.context import context
from app.web.security.access import access

bp = Blueprint("health", __name__)

log = logging.getLogger(__name__)


@bp.get("/healthz")
@access("probe")
def alive() -> Response:
    """Answer as long as the process can answer anything."""
    return jsonify(status="ok")


@bp.get("/readyz")
@access("probe")
def ready() -> tuple[Response, int]:
    """Run the readiness checks; 503 names the ones that fail, without details."""
    parts = {name: _state(name) for name in context().documents.checks}
    is_ready = all(state == "ok" for state in parts.values())
    status = "ok" if is_ready else "unavailable"
    return jsonify(status=status, checks=parts), 200 if is_ready else 503


def warm_up(app: Flask) -> None:
    """Run the readiness checks once, when a worker starts.

    From then on the keys are in memory, so that metadata and JWKS are served during an
    outage of the database (requirement 3.12). The log says what is missing.
    """
    with app.app_context():
        parts = [name for name in context().documents.checks if _state(name) != "ok"]
    if parts:
        log.warning("a new deployment needs `flask --app wsgi init` first")


def _state(name: str) -> str:
    try:
        context().documents.checks[name]()
    except Exception as error:  # noqa: BLE001 - any failure means not ready
        log.warning("not ready: %s: %s", name, error)
        return "failing"
    return "ok"
