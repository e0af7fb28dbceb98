"""GET and POST /auth/signup: a new person chooses a username.

The sign-up belongs to this browser's own login or to that of an app. The two have
different cookies and one browser may have both: `login` in the URL and in the form
names the app's; without it, the browser's own is meant.
"""

from __future__ import annotations

import math

from flask import Blueprint, Response, render_template, request, url_for

from app.flows.errors import (
    InvitationEnded,
    NativeLoginClosed,
    NotAMember,
    NotSignedIn,
    SignupFinished,
    UsernameInvalid,
    UsernameReserved,
    UsernameTaken,
)
from app.flows.login.destination import Destination
from app.flows.people.signup.choose import Newcomer
from app.web import cookies
from app.web.context import flows, site
from app.web.errors import Failure, error_page, shows_failure
from app.web.languages.choice import gettext as _
from app.web.responses import redirect_signed_in, see_other
from app.web.security.access import access

from .login import login_page
from .native import confirm as native_confirm
from .provider.leading import waiting_app

bp = Blueprint("signup", __name__)

NAME_REFUSALS = (UsernameInvalid, UsernameReserved, UsernameTaken)
"""Failures that another name can solve; all others have a page of their own."""


def signup_page(
    newcomer: Newcomer, username: str, failure: Failure | None = None
) -> str:
    """Render the form with a name in it."""
    return render_template(
        "signup.html",
        page_title=_("Choose your username"),
        username=username,
        handle=newcomer.session.handle,
        did=newcomer.session.did,
        app_name=newcomer.session.app_name,
        asks_about_apps=site().asks_about_apps,
        login=_mark(),
        change_days=_change_days(),
        notice=failure.notice() if failure else None,
        waiting_app=waiting_app(
            Destination.unpack(newcomer.session.destination).return_to
        ),
    )


def _change_days() -> int:
    """Return after how many days a username can be changed; 0 for never."""
    interval = flows().own_account.change_username.interval
    return math.ceil((interval or 0) / 86_400)


def show_again(failure: Failure) -> Response | str:
    """Show the form with the refused name; without a session, redirect to login."""
    if isinstance(failure.error, NAME_REFUSALS):
        typed = request.form.get("username", "")
        return signup_page(_newcomer(), typed, failure)
    if isinstance(failure.error, NativeLoginClosed):
        return native_confirm.closed(failure)
    if isinstance(failure.error, SignupFinished) and _mark():
        return see_other(url_for("native_confirm.show", login=_mark()))
    if isinstance(failure.error, NotSignedIn | SignupFinished):
        return see_other("/auth/login")
    error = failure.error
    if isinstance(error, InvitationEnded | NotAMember) and waiting_app(error.return_to):
        return login_page(Destination(return_to=error.return_to), failure=failure)
    return error_page(failure)


@bp.get("/auth/signup")
@shows_failure(show_again)
@access("page")
def show() -> str:
    """Show the form with a free username."""
    newcomer = _newcomer()
    return signup_page(newcomer, newcomer.suggestion)


@bp.post("/auth/signup")
@shows_failure(show_again)
@access("form")
def submit() -> Response:
    """Create the account and redirect to the destination of the login."""
    visit = _visit()
    secret = cookies.session_secret() if visit is None else visit.secret
    done = flows().choose_username.choose(
        secret,
        request.form.get("username", ""),
        address=request.remote_addr or "",
        native=visit.login_id if visit else "",
        invitation=cookies.INVITATION.read() or None,
    )
    if visit is None:
        response = redirect_signed_in(done.signed_in, done.destination.return_to)
        cookies.set_session(response, done.signed_in, secret or "")
    else:
        response = native_confirm.next_step(done.signed_in.user, visit)
    cookies.INVITATION.end(response)
    return response


def _newcomer() -> Newcomer:
    visit = _visit()
    if visit is None:
        return flows().choose_username.newcomer(cookies.session_secret())
    return flows().choose_username.newcomer(visit.secret, native=visit.login_id)


def _visit() -> cookies.NativeVisit | None:
    """Return what this browser holds for an app, if this sign-up is for one."""
    return native_confirm.visit_of(_mark()) if _mark() else None


def _mark() -> str:
    """Return which app's login this sign-up is for; "" for the browser's own."""
    return request.values.get("login", "")
