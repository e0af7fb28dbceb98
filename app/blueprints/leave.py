"""GET and POST /auth/account/leave: a person deletes their account on the platform.

The page says what goes and what stays. The username is typed, so that neither a slip
nor a press of Return deletes an account.
"""

from __future__ import annotations

from flask import Blueprint, Response, make_response, render_template, request, url_for

from app.atproto.syntax.grammar import host_of
from app.flows.errors import NotSignedIn, UsernameNotConfirmed
from app.web import cookies
from app.web.context import flows, site
from app.web.errors import Failure, error_page, shows_failure
from app.web.languages.choice import gettext as _
from app.web.responses import see_other
from app.web.security.access import access

bp = Blueprint("leave", __name__)


def show_again(failure: Failure) -> Response | str:
    """Show the page with what is wrong; without a session, redirect to login."""
    if isinstance(failure.error, NotSignedIn):
        return see_other(url_for("login.show", return_to=url_for("leave.show")))
    if isinstance(failure.error, UsernameNotConfirmed):
        return _page(failure)
    return error_page(failure)


@bp.get("/auth/account/leave")
@shows_failure(show_again)
@access("page")
def show() -> str:
    """Say what leaving means, and ask."""
    return _page()


@bp.post("/auth/account/leave")
@shows_failure(show_again)
@access("form")
def submit() -> Response:
    """Delete the account, sign this browser out, and say goodbye."""
    typed = request.form.get("username", "")
    deleted = flows().leave(cookies.session_secret(), typed=typed)
    page = render_template(
        "left.html",
        page_title=_("Goodbye"),
        username=deleted.username,
        held_until=deleted.held_until,
        hosts=sorted({host_of(one.issuer) for one in deleted.revocations}),
    )
    response = make_response(page)
    cookies.forget_signed_in(response)
    cookies.MOVED.end(response)
    cookies.clear_signed_in(response)
    return response


def _page(failure: Failure | None = None) -> str:
    return render_template(
        "leave.html",
        page_title=_("Leave"),
        user=flows().leave.account(cookies.session_secret()),
        held_until=site().clock() + site().username_hold,
        notice=failure.notice() if failure else None,
    )
