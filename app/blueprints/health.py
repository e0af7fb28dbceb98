"""GET /healthz and /readyz: whether the process lives, and whether it can serve."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, jsonify, request

from app.doctor.probe import COOKIE, HEADER
from app.web import cookies
from app.web.context import context, site
from app.web.security.access import access

bp = Blueprint("health", __name__)

RETRY_AFTER = "5"
"""Seconds until the next probe; load balancers ask as often."""


@bp.get("/healthz")
@access("probe")
def alive() -> Response:
    """Answer, with the version, as long as the process can answer anything.

    The command `doctor` also learns what arrived of its request.
    """
    if not context().documents.is_doctor(request.headers.get(HEADER, "")):
        return jsonify(status="ok", version=site().version)
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")
    seen = {
        "address": request.remote_addr,
        "forwarded_for": [hop.strip() for hop in forwarded if hop.strip()],
    }
    response = jsonify(status="ok", version=site().version, seen=seen)
    cookies.set_probe(response, COOKIE)
    return response


@bp.get("/readyz")
@access("probe")
def ready() -> tuple[Response, int]:
    """Return the state of each part; 503 when one fails. The log has the details."""
    parts = context().documents.readiness.states()
    is_ready = all(state == "ok" for state in parts.values())
    response = jsonify(
        status="ok" if is_ready else "unavailable",
        version=site().version,
        checks=parts,
    )
    if not is_ready:
        response.headers["Retry-After"] = RETRY_AFTER
    return response, 200 if is_ready else 503


def warm_up(app: Flask) -> None:
    """Run the readiness checks once, when a worker starts.

    From then on the keys are in memory, so that metadata and JWKS are served during an
    outage of the database (requirement 3.12). The log has a line for each part that
    fails, which says what helps.
    """
    with app.app_context():
        context().documents.readiness.states()
