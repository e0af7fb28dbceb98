"""GET /auth/account/events, POST /auth/account/data, POST /auth/username."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, render_template, request, url_for

from app.blueprints.own.account import described_events, show_again
from app.flows.errors import NotSignedIn
from app.web import cookies
from app.web.context import flows
from app.web.errors import Failure, error_page, shows_failure
from app.web.languages.choice import gettext as _
from app.web.responses import see_other
from app.web.security.access import access

bp = Blueprint("records", __name__)


def show_events_again(failure: Failure) -> Response | str:
    """Redirect to login and back without a session; show any other failure."""
    if isinstance(failure.error, NotSignedIn):
        here = url_for("records.events")
        return see_other(url_for("login.show", return_to=here))
    return error_page(failure)


@bp.get("/auth/account/events")
@shows_failure(show_events_again)
@access("page")
def events() -> str:
    """Show one page of the person's own events, the latest first."""
    signed_in = flows().renew(cookies.session_secret())
    if signed_in is None or signed_in.user is None:
        raise NotSignedIn("no live session with an account")
    before = request.args.get("before", "")
    page = flows().own_events.page(signed_in.session.did, before=before)
    return render_template(
        "events.html",
        page_title=_("What happened here"),
        events=described_events(page.events),
        older=page.older,
        is_first=not before,
    )


@bp.post("/auth/account/data")
@shows_failure(show_again)
@access("form")
def data() -> Response:
    """Send what is stored about the person, as a file."""
    stored = flows().own_account.download(
        cookies.session_secret(), address=request.remote_addr or ""
    )
    response = jsonify(stored)
    response.headers["Content-Disposition"] = "attachment; filename=account.json"
    return response


@bp.post("/auth/username")
@access("form")
def check_username() -> Response:
    """Tell the page, while a name is typed, whether it is free; JSON."""
    typed = request.form.get("username", "")
    visit = cookies.native_visit(request.form.get("login", ""))
    state = flows().own_account.check_username(
        visit.secret if visit else cookies.session_secret(),
        typed,
        address=request.remote_addr or "",
    )
    return jsonify(username=typed.strip().lower(), state=state)
