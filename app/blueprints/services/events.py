"""GET /auth/events: what happened to accounts, for services with a service key."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from app.flows.limits.networks import network_of
from app.flows.services.events import LONGEST_WAIT, ServiceEvent
from app.web.context import flows
from app.web.requests import bearer_token, preferred_wait
from app.web.responses import in_utc
from app.web.security.access import access

bp = Blueprint("events", __name__)


@bp.get("/auth/events")
@access("program")
def events() -> Response:
    """Answer with the events after a cursor, or wait for one (`Prefer: wait=30`)."""
    seconds = preferred_wait(LONGEST_WAIT)
    page = flows().read_events(
        bearer_token(),
        after=request.args.get("after", ""),
        seconds=seconds,
        network=network_of(request.remote_addr or ""),
    )
    response = jsonify(
        events=[_described(event) for event in page.events],
        next=page.next,
        more=page.more,
    )
    response.headers["Cache-Control"] = "no-store"
    if seconds > 0:
        response.headers["Preference-Applied"] = f"wait={seconds}"
    response.vary.update(["Authorization", "Prefer"])
    return response


def _described(event: ServiceEvent) -> dict[str, object]:
    return {
        "id": event.event_id,
        "event": event.event,
        "did": event.did,
        "at": in_utc(event.created_at),
        **event.detail,
    }
