"""GET /auth/result: what became of a callback, or of an app's login."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, render_template, url_for

from app.flows.errors import NotSignedIn
from app.web import cookies
from app.web.context import flows
from app.web.errors import Failure, error_page
from app.web.languages.choice import gettext as _
from app.web.pages.outcomes import Goodbye, Outcome
from app.web.pages.scope_upgrade import upgrade_page
from app.web.responses import see_other
from app.web.security.access import access, is_speculative

from .login import login_page
from .own import leave

bp = Blueprint("result", __name__)


@bp.get("/auth/result")
@access("page")
def show() -> Response:
    """Show the outcome with the status of its failure; all but a goodbye may reload."""
    outcome = Outcome.of_request()
    if outcome is None:
        return see_other(url_for("login.show"))
    response = make_response(_page(outcome))
    if outcome.goodbye is not None and not is_speculative():
        cookies.OUTCOME.end(response)  # nothing of the person stays on this device
    if outcome.failure is not None:
        response.status_code = outcome.failure.status
    return response


def _page(outcome: Outcome) -> str:
    failure = outcome.failure
    if outcome.goodbye is not None:
        return goodbye_page(outcome.goodbye)
    if failure is None or outcome.kind in {"allowed", "denied", "expired"}:
        return native_page(outcome)
    if outcome.kind == "leave":
        return leave_page(failure)
    if outcome.kind == "login":
        return login_page(outcome.destination, failure=failure)
    if outcome.kind == "upgrade":
        signed_in = flows().renew(cookies.session_secret())
        if signed_in is not None:
            return upgrade_page(signed_in, outcome.destination, failure=failure)
    return error_page(failure)


def leave_page(failure: Failure) -> str:
    """Render the question again for a person who is signed in, with what failed."""
    try:
        return leave.page(failure)
    except NotSignedIn:
        return error_page(failure)


def goodbye_page(goodbye: Goodbye) -> str:
    """Render what a person reads whose account is deleted."""
    return render_template(
        "left.html",
        page_title=_("Goodbye"),
        username=goodbye.username,
        held_until=goodbye.held_until,
        hosts=goodbye.hosts,
        silent_hosts=goodbye.silent_hosts,
    )


def native_page(outcome: Outcome) -> str:
    """Render the end of an app's login in this browser."""
    return render_template(
        "native_done.html",
        page_title=_("Signing in to an app"),
        outcome=outcome.kind,
        app_name=outcome.app_name,
        error=outcome.failure.notice() if outcome.failure else None,
    )
