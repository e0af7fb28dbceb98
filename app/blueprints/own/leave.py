"""GET and POST /auth/account/leave: a person deletes their account on the platform.

The page says what goes and what stays. The username is typed, so that no slip deletes
an account, and the account is proved again at its host, so that no device does that was
left open.
"""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request, url_for

from app.atproto.errors import AtprotoError
from app.atproto.syntax.grammar import host_of
from app.blueprints.login import begin
from app.flows.errors import NotSignedIn, TooManyRequests, UsernameNotConfirmed
from app.flows.people.deletion import PATH
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
    if isinstance(failure.error, UsernameNotConfirmed | AtprotoError | TooManyRequests):
        return page(failure)
    return error_page(failure)


@bp.get(PATH)
@shows_failure(show_again)
@access("page")
def show() -> str:
    """Say what leaving means, and ask."""
    return page()


@bp.post(PATH)
@shows_failure(show_again)
@access("form")
def submit() -> Response:
    """Send the person to their host to prove the account; the callback deletes it."""
    typed = request.form.get("username", "")
    return begin(flows().leave.begin(cookies.session_secret(), typed=typed))


def page(failure: Failure | None = None) -> str:
    """Render the question.

    Raises:
        NotSignedIn: no live session with an account.
    """
    session, user = flows().leave.account(cookies.session_secret())
    return render_template(
        "leave.html",
        page_title=_("Leave"),
        user=user,
        host=host_of(session.issuer) if session.issuer else _("your host"),
        held_until=site().clock() + site().username_hold,
        notice=failure.notice() if failure else None,
    )
