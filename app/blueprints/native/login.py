"""POST /auth/native/login and GET /auth/native/login/ID/await: native login, app.

For programs alone. The await is a stream of Server-Sent Events for clients that accept
one, and a long poll for others; both have the same documents.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, make_response, request

from app.flows.native.outcome import NativeOutcome
from app.web.context import flows
from app.web.requests import BodyInvalid, json_object, preferred_wait, text_of
from app.web.security.access import access
from app.web.sse import HEARTBEAT, Awaiting

bp = Blueprint("native_login", __name__)

LONGEST_WAIT = 30
"""Seconds of a long poll; proxies cut connections that are silent for a minute."""

RETRY_AFTER = 2
"""Seconds until the next poll, for clients that do not wait."""

ANSWERS = frozenset({"completed", "denied", "expired"})

STREAM_HEADERS = {
    "Cache-Control": "no-store, no-transform",  # neither compressed nor buffered
    "X-Accel-Buffering": "no",
}


@bp.post("/auth/native/login")
@access("program")
def initiate() -> Response:
    """Begin a login that a browser finishes and this app awaits."""
    body = _counted_object()
    started = flows().start_native.start(
        text_of(body, "identifier") or "",
        address=request.remote_addr or "",
        app_name=text_of(body, "app_name"),
        code_challenge=text_of(body, "code_challenge"),
    )
    return make_response(jsonify(started.document()), 201)


def _counted_object() -> dict[str, Any]:
    """Return the JSON object that was sent; a body that is none counts as a login."""
    try:
        return json_object()
    except BodyInvalid:
        flows().start_native.count(request.remote_addr or "")
        raise


@bp.get("/auth/native/login/<session_id>/await")
@access("program")
def wait(session_id: str) -> Response:
    """Return the state of the login, now and when it is decided."""
    verifier = _verifier()
    heard = request.headers.get("Last-Event-ID", "")
    if heard in ANSWERS:
        return _heard(heard, session_id, verifier)
    awaiting = Awaiting(flows().await_native, session_id, code_verifier=verifier)
    address = request.remote_addr or ""
    if not _takes_events():
        return _answer(awaiting.poll(address, seconds=_seconds()))
    events = awaiting.events(address, heartbeat=HEARTBEAT)
    next(events)  # raises a refusal here, while the status can still be set
    response = Response(
        events,
        content_type="text/event-stream",
        headers=STREAM_HEADERS,
        direct_passthrough=True,  # the request ends; only the events go on
    )
    response.vary.update(["Accept", "Prefer"])
    return response


def _heard(answer: str, session_id: str, verifier: str | None) -> Response:
    """Stop a client that reconnects after its answer (HTML section 9.2.3)."""
    if answer == "completed":
        flows().await_native.acknowledge(session_id, code_verifier=verifier)
    return Response(status=204)


def _answer(outcome: NativeOutcome) -> Response:
    """Answer a long poll: 200 with an answer, 202 while there is none."""
    response = jsonify(outcome.document())
    response.vary.update(["Accept", "Prefer"])
    if (seconds := _seconds()) > 0:
        response.headers["Preference-Applied"] = f"wait={seconds}"
    if outcome.status == "pending":
        response.status_code = 202
        response.headers["Retry-After"] = str(RETRY_AFTER)
    return response


def _verifier() -> str | None:
    """Return the code_verifier from a header: proxies log queries, not headers.

    From the query for clients that cannot send a header, such as EventSource.
    """
    return request.headers.get("Code-Verifier") or request.args.get("code_verifier")


def _takes_events() -> bool:
    accepted = {kind for kind, quality in request.accept_mimetypes if quality > 0}
    return request.method == "GET" and "text/event-stream" in accepted


def _seconds() -> int:
    return preferred_wait(LONGEST_WAIT)
