"""GET and POST /auth/signup: a newcomer picks a username."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request

from app.flows.errors import (
    NotSignedIn,
    SignupFinished,
    UsernameInvalid,
    UsernameReserved,
    UsernameTaken,
)
from app.flows.signup import Newcomer

from . import cookies
from .access import access
from .context import flows
from .entering import enter, see_other
from .errors import Failure, error_page, shows_failure

bp = Blueprint("signup", __name__)

NAME_REFUSALS = (UsernameInvalid, UsernameReserved, UsernameTaken)
"""What another name can mend; anything else has a page of its own."""


def signup_page(
    newcomer: Newcomer, username: str, failure: Failure | None = None
) -> str:
    """Render the form with a name in it."""
    return render_template(
        "signup.html",
        page_title="Choose your username",
        username=username,
        handle=newcomer.session.handle,
        did=newcomer.session.did,
        notice=failure.notice() if failure else None,
    )


def show_again(failure: Failure) -> Response | str:
    """Show the form with the name that did not work; a stranger goes to login."""
    if isinstance(failure.error, NotSignedIn | SignupFinished):
        return see_other("/auth/login")
    if not isinstance(failure.error, NAME_REFUSALS):
        return error_page(failure)
    newcomer = flows().choose_username.newcomer(cookies.session_secret())
    return signup_page(newcomer, request.form.get("username", ""), failure)


@bp.get("/auth/signup")
@shows_failure(show_again)
@access("page")
def show() -> str:
    """Show the form with a name that is free."""
    newcomer = flows().choose_username.newcomer(cookies.session_secret())
    return signup_page(newcomer, newcomer.suggestion)


@bp.post("/auth/signup")
@shows_failure(show_again)
@access("form")
def submit() -> Response:
    """Create the account and send its person where the login was for."""
    done = flows().choose_username.choose(
        cookies.session_secret(), request.form.get("username", "")
    )
    return enter(done.signed_in, done.return_to)
