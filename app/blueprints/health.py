"""GET /healthz and /readyz: whether the process lives, and whether it can serve."""

from __future__ import annotations

import logging

from flask import Blueprint, Flask, Response, jsonify

from app.web.access import access
from app.web.context import context

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
    """Ask each part; 503 while one cannot serve, with its name and no more."""
    parts = {name: _state(name) for name in context().documents.checks}
    is_ready = all(state == "ok" for state in parts.values())
    status = "ok" if is_ready else "unavailable"
    return jsonify(status=status, checks=parts), 200 if is_ready else 503


def warm_up(app: Flask) -> None:
    """Ask each part once, when a worker starts.

    From then on the keys are in memory, so that metadata and JWKS outlive an outage of
    the database (requirement 3.12); and the log says at once what is missing.
    """
    with app.app_context():
        parts = [name for name in context().documents.checks if _state(name) != "ok"]
    if parts:
        log.warning("a new deployment needs `flask --app wsgi init` first")


def _state(name: str) -> str:
    try:
        context().documents.checks[name]()
    except Exception as error:  # noqa: BLE001 - whatever it is, this part is not ready
        log.warning("not ready: %s: %s", name, error)
        return "failing"
    return "ok"
